"""Which model is live on a board: the record on the card and the moves it may make. Reading and writing files is the board's.

The record exists twice (two files, written in turn, never both at once); each copy carries a sequence number and a CRC, so after
a power cut the newest whole copy tells the truth. A model is named by its digest.

    idle   --offer(d)-->     receiving     the kmodel of d is being fetched
    receiving --verified-->  ready         digest, signature and versions were checked
    ready  --start_trial-->  trial         d is live, the old one is kept as `previous`
    trial  --confirm-->      idle          d stays
    trial  --roll_back-->    idle          `previous` is live again, d is remembered as `broken`
    any but trial --drop-->  idle          the candidate is forgotten
"""

import json

from .errors import RecordError
from .portable import binascii, parse_json

IDLE = "idle"
RECEIVING = "receiving"
READY = "ready"
TRIAL = "trial"

MOVES = {
    (IDLE, "offer"): RECEIVING,
    (RECEIVING, "offer"): RECEIVING,
    (READY, "offer"): RECEIVING,
    (RECEIVING, "verified"): READY,
    (READY, "start_trial"): TRIAL,
    (TRIAL, "confirm"): IDLE,
    (TRIAL, "roll_back"): IDLE,
    (RECEIVING, "drop"): IDLE,
    (READY, "drop"): IDLE,
    (IDLE, "drop"): IDLE,
}


class ModelSlots:
    """The model state of one board: state, active, previous, candidate and broken digests ("" for none), highest serial seen.

    `key_id` says of which pairing the serial is: another host counts its own.
    """

    def __init__(self) -> None:
        """A board without any model."""
        self.sequence = 0
        self.state = IDLE
        self.active = ""
        self.previous = ""
        self.candidate = ""
        self.broken = ""
        self.serial = 0
        self.key_id = ""

    def move(self, event: str, digest: str = "", serial: int = 0) -> None:
        """Apply an event; `digest` and `serial` name the model of an offer.

        Raises:
            RecordError: the event is not legal now.
        """
        after = MOVES.get((self.state, event))
        if after is None:
            raise RecordError("model slot: {} is not possible while {}".format(event, self.state))
        if event == "offer":
            self.candidate = digest
            self.serial = max(self.serial, serial)
        elif event == "start_trial":
            self.previous = self.active
            self.active = self.candidate
            self.candidate = ""
        elif event == "roll_back":
            self.broken = self.active
            self.active = self.previous
            self.previous = ""
        elif event == "drop":
            self.candidate = ""
        self.state = after
        self.sequence += 1


def encode(slots: ModelSlots) -> bytes:
    """The record as one line of JSON, a space and its CRC-32 in hex."""
    body = json.dumps(
        {
            "sequence": slots.sequence,
            "state": slots.state,
            "active": slots.active,
            "previous": slots.previous,
            "candidate": slots.candidate,
            "broken": slots.broken,
            "serial": slots.serial,
            "key_id": slots.key_id,
        }
    ).encode()
    return body + b" %08x\n" % (binascii.crc32(body) & 0xFFFFFFFF)


def decode(data: bytes) -> "ModelSlots | None":
    """The slots in a record, None when it is torn or damaged."""
    if len(data) < 12 or data[-1:] != b"\n" or data[-10:-9] != b" ":
        return None
    body = data[:-10]
    if b"%08x" % (binascii.crc32(body) & 0xFFFFFFFF) != data[-9:-1]:
        return None
    try:
        fields = parse_json(body)
        slots = ModelSlots()
        slots.sequence = fields["sequence"]
        slots.state = fields["state"]
        slots.active = fields["active"]
        slots.previous = fields["previous"]
        slots.candidate = fields["candidate"]
        slots.broken = fields["broken"]
        slots.serial = fields["serial"]
        slots.key_id = fields["key_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return slots


def newest(first: "ModelSlots | None", second: "ModelSlots | None") -> ModelSlots:
    """The newer of two decoded copies; a fresh one when neither is whole."""
    if first is None and second is None:
        return ModelSlots()
    if second is None or (first is not None and first.sequence >= second.sequence):
        return first
    return second
