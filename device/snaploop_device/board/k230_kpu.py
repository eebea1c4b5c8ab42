"""The KPU: kmodels with ai2d in front, placed by the shared rule (snaploop_shared.letterbox; bilinear, half pixel)."""

import gc

from snaploop_shared.manifest import STRIDES

from . import ports

MARGIN_BYTES = 8 * 1024 * 1024  # activations, runtime and fragmentation beside the kmodel's own bytes
BYTES_PER_KMODEL_BYTE = 3  # weights, code and the call images of the runtime (nncase-k230.md §5 has sizes)


class K230Network(ports.Network):
    """One loaded kmodel; buffers are made once."""

    def __init__(self, path: str, placement) -> None:
        """Load and build; see ports.Kpu.load."""
        import nncase_runtime as nn
        from ulab import numpy as np

        self._placement = placement
        self._kpu = nn.kpu()
        self._kpu.load_kmodel(path)
        shape = (1, 3, placement.input_h, placement.input_w)
        self._input = nn.from_numpy(np.ones(shape, dtype=np.uint8))
        ai2d = nn.ai2d()
        ai2d.set_dtype(nn.ai2d_format.NCHW_FMT, nn.ai2d_format.NCHW_FMT, np.uint8, np.uint8)
        pads = [0, 0, 0, 0, placement.top, placement.bottom, placement.left, placement.right]
        if placement.cut != (0, 0, placement.source_w, placement.source_h):
            ai2d.set_crop_param(True, *placement.cut)
        ai2d.set_pad_param(True, pads, 0, [placement.pad, placement.pad, placement.pad])
        ai2d.set_resize_param(True, nn.interp_method.tf_bilinear, nn.interp_mode.half_pixel)
        self._ai2d = ai2d
        self._builder = ai2d.build([1, 3, placement.source_h, placement.source_w], list(shape))

    def run(self, frame) -> None:
        """Letterbox and run."""
        import nncase_runtime as nn

        tensor = nn.from_numpy(frame)
        self._builder.run(tensor, self._input)
        self._kpu.set_input_tensor(0, self._input)
        self._kpu.run()
        _release(tensor)

    def run_input(self, data: bytes) -> None:
        """Run on an exact input."""
        import nncase_runtime as nn
        from ulab import numpy as np

        place = self._placement
        if len(data) != 3 * place.input_h * place.input_w:
            raise ValueError(
                "golden input of {} bytes, {}x{}x3 expected".format(len(data), place.input_w, place.input_h)
            )
        array = np.frombuffer(data, dtype=np.uint8).reshape((1, 3, place.input_h, place.input_w))
        tensor = nn.from_numpy(array)
        self._kpu.set_input_tensor(0, tensor)
        self._kpu.run()
        _release(tensor)

    def output(self, index: int):
        """A copy of an output."""
        tensor = self._kpu.get_output_tensor(index)
        array = tensor.to_numpy()
        _release(tensor)
        return array

    def release(self) -> None:
        """Give the memory back."""
        import nncase_runtime as nn

        for part in (self._builder, self._ai2d, self._input, self._kpu):
            _release(part)
        self._builder = self._ai2d = self._input = self._kpu = None
        gc.collect()
        nn.shrink_memory_pool()


class K230Kpu(ports.Kpu):
    """nncase_runtime."""

    _blank = None  # a picture for text_quads

    def version(self) -> str:
        """The runtime's version."""
        import nncase_runtime as nn

        return str(nn.version())

    def has_room(self, kmodel_bytes: int) -> bool:
        """Ask the media memory, where the firmware tells."""
        if not hasattr(gc, "sys_mmz"):
            return True
        free = gc.sys_mmz()[2]
        return free > kmodel_bytes * BYTES_PER_KMODEL_BYTE + MARGIN_BYTES

    def load(self, path: str, placement) -> K230Network:
        """Load a kmodel."""
        return K230Network(path, placement)

    def gfl_boxes(self, outputs, input_wh, frame_wh, classes: int, score: float, iou: float) -> "list[list]":
        """The firmware's C function; it wants lists, and gives [] or None when there is nothing (k230-platform §6.3)."""
        import aicube

        found = aicube.gfldet_post_process(
            outputs[0],
            outputs[1],
            outputs[2],
            list(input_wh),
            list(frame_wh),
            list(STRIDES),
            classes,
            score,
            iou,
            False,  # suppress within each class
        )
        return found or []

    def anchor_boxes(
        self, outputs, input_wh, frame_wh, classes: int, score: float, iou: float, anchors
    ) -> "list[list]":
        """The firmware's C functions for the vendor's older heads; `anchors` None: the one without."""
        import aicube

        given = [outputs[0], outputs[1], outputs[2], list(input_wh), list(frame_wh), list(STRIDES), classes, score, iou]
        if anchors is None:
            found = aicube.anchorfreedet_post_process(*given, False)
        else:
            found = aicube.anchorbasedet_post_process(*given, list(anchors), False)
        return found or []

    def text_quads(self, output, input_wh, mask: float, score: float) -> "list[list[float]]":
        """The firmware's C function; it also cuts the texts out of a picture, which is a blank one here: nobody looks at them."""
        import aicube
        from ulab import numpy as np

        width, height = input_wh
        if self._blank is None or len(self._blank) != 3 * width * height:
            self._blank = np.zeros(3 * width * height, dtype=np.uint8)
        chances = output[:, :, :, 0].reshape((width * height,)).copy()
        found = aicube.ocr_post_process(chances, self._blank, [width, height], [width, height], mask, score)
        return [[float(number) for number in one[1]] for one in found or []]

    def close(self) -> None:
        """Nothing of its own to free: networks are released by their owner."""


def _release(thing):
    """Firmware from v1.6 on frees at once; older ones when the object is collected."""
    if thing is not None and hasattr(thing, "release"):
        thing.release()
