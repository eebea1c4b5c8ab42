"""Every error that the contract can raise, for board and host.

SnaploopError
├── ProtocolError        bytes from the other side that are no valid message
├── AuthError            wrong key, bad signature or a replayed counter
├── LinkLostError        the other side stopped answering
├── RecordError          a sample record or manifest that breaks its rules
├── ModelRefusedError    a model that must not go live (digest, version, signature, golden answer)
└── CardFullError        no room left on the card
"""


class SnaploopError(Exception):
    """Root of all errors of ours; the message names the thing and the mend."""


class ProtocolError(SnaploopError):
    """Bytes from the other side are no valid message."""


class AuthError(SnaploopError):
    """A message was not signed with the key of this board, or was seen before."""


class LinkLostError(SnaploopError):
    """The other side stopped answering."""


class RecordError(SnaploopError):
    """A sample record or manifest breaks its rules."""


class ModelRefusedError(SnaploopError):
    """A model must not go live; `reason` is one of the words in manifest.REFUSALS."""

    def __init__(self, reason, text):
        """Keep the machine-readable reason beside the text for people."""
        super().__init__(text)
        self.reason = reason


class CardFullError(SnaploopError):
    """The card has no room for what should be written."""
