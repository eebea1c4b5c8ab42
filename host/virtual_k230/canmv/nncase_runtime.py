"""nncase_runtime on the virtual board: KPU and AI2D; see virtual_k230/kpu.py and ai2d.py."""

from _hal import call as _call
from _hal import call_blob as _call_blob
from _hal import token as _token
from ulab import numpy as _np


class ai2d_format:
    YUV420_NV12 = 0
    YUV420_NV21 = 1
    YUV420_I420 = 2
    NCHW_FMT = 3
    RGB_packed = 4
    RAW16 = 5


class interp_method:
    tf_nearest = 0
    tf_bilinear = 1
    cv2_nearest = 2
    cv2_bilinear = 3


class interp_mode:
    none = 0
    align_corner = 1
    half_pixel = 2


class _Held:
    """Something on the PC that lives as long as this object, or until release()."""

    def __init__(self, handle):
        self._h = handle
        self._t = _token(handle)

    def release(self):
        if self._t is not None:
            self._t.close()
            self._t = None


class runtime_tensor(_Held):
    def to_numpy(self):
        return _np._wrap(_call("nn.to_numpy", self._h))


def from_numpy(array):
    if type(array) is not _np.ndarray:
        raise TypeError("from_numpy takes an ndarray")
    return runtime_tensor(_call("nn.from_numpy", array._h))


class kpu(_Held):
    def __init__(self):
        super().__init__(_call("nn.new"))

    def load_kmodel(self, source):
        if type(source) is str:
            _call("nn.load_path", self._h, source)
        elif type(source) is _np.ndarray:
            _call_blob("nn.load_buffer", source.tobytes(), self._h)
        else:
            try:
                memoryview(source)
            except TypeError:
                raise TypeError("object with buffer protocol required")
            _call_blob("nn.load_buffer", source, self._h)

    def inputs_size(self):
        return _call("nn.sizes", self._h)[0]

    def outputs_size(self):
        return _call("nn.sizes", self._h)[1]

    def inputs_desc(self, index):
        return _desc(_call("nn.desc", self._h, True, index))

    def outputs_desc(self, index):
        return _desc(_call("nn.desc", self._h, False, index))

    def set_input_tensor(self, index, tensor):
        if type(tensor) is not runtime_tensor:
            raise ValueError("KPU set input tensor failed.")
        _call("nn.set_input", self._h, index, tensor._h)

    def get_input_tensor(self, index):
        return runtime_tensor(_call("nn.get_input", self._h, index))

    def set_output_tensor(self, index, tensor):
        if type(tensor) is not runtime_tensor:
            raise ValueError("KPU set output tensor failed.")
        _call("nn.set_output", self._h, index, tensor._h)

    def run(self):
        _call("nn.run", self._h)

    def get_output_tensor(self, index):
        return runtime_tensor(_call("nn.get_output", self._h, index))


def _desc(reply):
    return {"tensor_datatype": reply[0], "tensor_start": reply[1], "tensor_size": reply[2]}


class _builder(_Held):
    def run(self, source, target):
        _call("ai2d.run", self._h, source._h, target._h)


class ai2d:
    def __init__(self):
        self._setup = {"formats": [3, 3]}

    def set_dtype(self, src_fmt, dst_fmt, src_np_type, dst_np_type):
        if dst_np_type != _np.uint8 or src_np_type != (_np.uint16 if src_fmt == ai2d_format.RAW16 else _np.uint8):
            raise ValueError("ai2d takes uint8, and uint16 for RAW16")
        self._setup["formats"] = [src_fmt, dst_fmt]

    def set_crop_param(self, flag, x, y, w, h):
        self._setup["crop"] = [x, y, w, h] if flag else None

    def set_shift_param(self, flag, value):
        self._setup["shift"] = value if flag else None

    def set_pad_param(self, flag, pad, mode=0, values=(0, 0, 0)):
        if len(pad) != 8:
            raise ValueError("ai2d padding is 8 numbers: before and after N, C, H and W")
        self._setup["pad"] = [list(pad), mode, list(values)] if flag else None

    def set_resize_param(self, flag, method, mode):
        self._setup["resize"] = [method, mode] if flag else None

    def set_affine_param(self, flag, method, cord_round, bound_ind, bound_val, bound_smooth, matrix):
        self._setup["affine"] = [method, bound_val, list(matrix)] if flag else None

    def build(self, in_shape, out_shape):
        return _builder(_call("ai2d.build", self._setup, list(in_shape), list(out_shape)))

    def release(self):
        self._setup = {"formats": [3, 3]}


def version():
    return _call("nn.version")


def shrink_memory_pool():
    pass
