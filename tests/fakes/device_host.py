"""The host's side of the protocol in memory, as docs/protocol.md describes it: enough to try the board app against."""

import json

from snaploop_shared import manifest, messages
from snaploop_shared.errors import AuthError
from snaploop_shared.messages import Response
from snaploop_shared.portable import sha256_hex

KEY = bytes(range(32))
BOARD_ID = "00112233"


class FakeHost:
    """Photos, records, models and a training run, by digest."""

    def __init__(self, classes=("red", "green"), task="detect"):
        self.classes = list(classes)
        self.task = task
        self.photos = {}
        self.partial = {}
        self.records = {}
        self.blobs = {}
        self.manifests = {}
        self.model = None  # (digest, serial, raw manifest)
        self.deployments = []
        self.requests = []  # (path, road)
        self.by_road = {"usb": 0, "wifi": 0}
        self.run = None
        self.counter = 0
        self.trained = 0
        self.takes_records = True  # with the last piece of a photo; older hosts do not
        self.answer_with = {}  # path → Response that is given instead

    def handle(self, data, road):
        """The answer's bytes, None for a board that is not known."""
        request = messages.decode_request(data)
        if request.board_id != BOARD_ID:
            return None
        try:
            request.check(KEY)
        except AuthError:
            return None
        if request.counter <= self.counter:
            response = Response(messages.UNAUTHORIZED, {"counter": self.counter, "error": "counter was seen before"})
            return messages.encode_response(response, request.counter, KEY)
        self.counter = request.counter
        self.requests.append((request.path, road))
        response = self.answer_with.get(request.path) or self.answer(request, road)
        return messages.encode_response(response, request.counter, KEY)

    def answer(self, request, road):
        arguments = request.arguments
        if request.path == messages.HELLO:
            project = {"name": "lights", "task": self.task, "classes": self.classes}
            return Response(messages.OK, {"project": project, "host": "pc", "model": self.offered()})
        if request.path == messages.MISSING:
            photos, records = [], []
            for digest, _size, rev in arguments["samples"]:
                if digest not in self.photos:
                    photos.append([digest, len(self.partial.get(digest, b""))])
                if self.records.get(digest, {}).get("rev", -1) < rev:
                    records.append(digest)
            return Response(messages.OK, {"photos": photos, "records": records})
        if request.path == messages.PHOTO:
            response = self.put_photo(arguments, request.body, road)
            if response.status == messages.OK and self.takes_records and "record" in arguments:
                record = json.loads(arguments["record"])
                self.records[record["photo"]] = record
                response.arguments["rev"] = record["rev"]
            return response
        if request.path == messages.RECORD:
            record = json.loads(request.body)
            self.records[record["photo"]] = record
            return Response(messages.OK, {"rev": record["rev"]})
        if request.path == messages.MODEL:
            if self.model is None:
                return Response(messages.NOTHING)
            digest, serial, raw = self.model
            return Response(
                messages.OK, {"digest": digest, "serial": serial, "signature": manifest.signature(raw, KEY).hex()}, raw
            )
        if request.path == messages.BLOB:
            blob = self.blobs.get(arguments["digest"])
            if blob is None:
                return Response(messages.NOT_FOUND, {"error": "no such blob"})
            assert arguments["length"] <= messages.PIECE_BYTES
            offset = arguments["offset"]
            return Response(messages.OK, {"size": len(blob)}, blob[offset : offset + arguments["length"]])
        if request.path == messages.DEPLOYMENT:
            self.deployments.append(arguments)
            return Response(messages.OK)
        if request.path == messages.TRAIN:
            self.trained += 1
            self.run = {
                "id": 1,
                "state": "running",
                "stage": "train",
                "epoch": 1,
                "epochs": 3,
                "score_name": "mAP50",
                "score_permille": 100,
                "loss_milli": 2000,
            }
            return Response(messages.OK, {"run": 1})
        if request.path == messages.STATUS:
            return Response(messages.OK, {"samples": len(self.photos), "run": self.run, "model": self.offered()})
        return Response(messages.NOT_FOUND, {"error": "no such request"})

    def put_photo(self, arguments, body, road):
        digest = arguments["digest"]
        have = self.partial.get(digest, b"")
        if arguments["offset"] != len(have):
            return Response(messages.CONFLICT, {"offset": len(have)})
        have += body
        self.partial[digest] = have
        if len(have) < arguments["size"]:
            return Response(messages.OK, {"offset": len(have)})
        del self.partial[digest]
        if sha256_hex(have) != digest:
            return Response(messages.BAD_REQUEST, {"error": "the photo arrived damaged"})
        self.photos[digest] = have
        self.by_road[road] += 1
        return Response(messages.OK, {"offset": len(have)})

    def offered(self):
        return None if self.model is None else {"digest": self.model[0], "serial": self.model[1]}

    def offer_again(self, serial, digest=None):
        """The same model with a manifest of a new serial, as `snaploop offer` does."""
        fields = json.loads(self.manifests[digest or self.model[0]])
        raw = json.dumps(fields | {"serial": serial}).encode()
        self.model = (fields["digest"], serial, raw)

    def publish(
        self,
        serial,
        kmodel=None,
        detections=((1, 900, 100, 50, 40, 40),),
        nncase="2.11.0",
        key=KEY,
        head="dfl6",
        task="detect",
        labels=None,
        answer=None,
        score=400,
        golden=None,
        **fields,
    ):
        """Offer a model whose golden answer is `answer`, as the manifest has it, or `detections`, with more `fields`; its digest."""
        kmodel = kmodel or bytes([serial]) * 70000
        golden = bytes([serial]) * (3 * 320 * 192) if golden is None else golden
        raw = json.dumps(
            {
                "v": 1,
                "serial": serial,
                "digest": sha256_hex(kmodel),
                "bytes": len(kmodel),
                "task": task,
                "head": head,
                "input": [320, 192],
                "labels": labels or self.classes,
                "score_permille": score,
                "iou_permille": 500,
                "nncase": nncase,
                "kmodel_version": 7,
                "golden": {
                    "digest": sha256_hex(golden),
                    "bytes": len(golden),
                    **(answer or {"detections": [list(one) for one in detections]}),
                },
                "scores": {"kmodel_map50": 0.913},
                **fields,
            }
        ).encode()
        self.blobs[sha256_hex(kmodel)] = kmodel
        self.blobs[sha256_hex(golden)] = golden
        self.model = (sha256_hex(kmodel), serial, raw)
        self.manifests[self.model[0]] = raw
        return self.model[0]
