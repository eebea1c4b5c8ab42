"""Every error of the host's own that a person may meet, with the two tables that turn one into an HTTP status or an exit code.

    HostError
    ├── NotFoundError        no such project, run, model, board or photo
    ├── BadInputError        something given from outside breaks its rules
    ├── ConflictError        possible in principle, not now
    │   ├── CannotTrainError too few photos, a run is active already, ...
    │   └── UploadGapError   a piece of an upload that does not begin where the upload stopped
    ├── StorageError         the data folder cannot be read or written
    │   └── StorageFullError no room left on the disk
    ├── BoardLinkError       a board or its port does not answer
    │   └── PortBusyError    somebody else holds the serial port
    ├── MissingToolError     a program or package that this needs is not installed
    ├── AddressTakenError    another program listens where we should
    └── IllegalMoveError     a state change that its table does not have: a bug of ours

Messages name the thing and the mend. The board's errors are in snaploop_shared.errors, the compiler's in
compiling.errors, the demo's in demo.errors.
"""

from __future__ import annotations


class HostError(Exception):
    """Root of the host's errors."""


class NotFoundError(HostError):
    """There is no such thing in the store."""


class BadInputError(HostError):
    """A value, file or folder from outside breaks its rules."""


class ConflictError(HostError):
    """Not possible in the present state."""


class CannotTrainError(ConflictError):
    """A training cannot start now; the message says what is missing."""


class UploadGapError(ConflictError):
    """A piece does not begin where the upload stopped; `offset` says where it must."""

    def __init__(self, digest: str, offset: int) -> None:
        """Keep the offset for the answer."""
        super().__init__(f"upload of {digest[:12]} goes on at byte {offset}")
        self.offset = offset


class StorageError(HostError):
    """The data folder cannot be used."""


class StorageFullError(StorageError):
    """No room left where the data folder is; nothing was lost."""


class BoardLinkError(HostError):
    """A board or its port does not answer."""


class PortBusyError(BoardLinkError):
    """Another program holds the serial port."""


class MissingToolError(HostError):
    """A program or package is not installed."""


class AddressTakenError(HostError):
    """Another program listens on our address."""


class IllegalMoveError(HostError):
    """A state change that is not in its transition table."""


_HTTP_STATUS: dict[type[HostError], int] = {
    NotFoundError: 404,
    BadInputError: 400,
    ConflictError: 409,
    StorageFullError: 507,
    BoardLinkError: 502,
}

_EXIT_CODE: dict[type[HostError], int] = {
    NotFoundError: 3,
    BadInputError: 4,
    ConflictError: 5,
    StorageError: 6,
    BoardLinkError: 7,
    MissingToolError: 8,
    AddressTakenError: 9,
}


def http_status(error: HostError) -> int:
    """The HTTP status for an error: that of its nearest class in the table, else 500."""
    return next((_HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in _HTTP_STATUS), 500)


def exit_code(error: HostError) -> int:
    """The exit code for an error: that of its nearest class in the table, else 1."""
    return next((_EXIT_CODE[kind] for kind in type(error).__mro__ if kind in _EXIT_CODE), 1)
