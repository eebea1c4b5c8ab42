"""ulab.numpy on the virtual board: thin objects over arrays that live on the PC; see virtual_k230/arrays.py."""

import array as _array
import math as _math

from _hal import call as _call
from _hal import call_blob as _call_blob
from _hal import token as _token

bool = 63
uint8 = 66
int8 = 98
uint16 = 72
int16 = 104
float = 102

pi = _math.pi
e = _math.e
inf = _math.inf
nan = _math.nan

_ITEMSIZE = {63: 1, 66: 1, 98: 1, 72: 2, 104: 2, 102: 4}
_list, _tuple, _dict, _int, _slice, _range = list, tuple, dict, int, slice, range
_PyFloat = type(0.5)
_PyBool = type(True)


def _wrap(reply):
    kind = type(reply)
    if kind is _list:
        return ndarray(None, _reply=reply)
    if kind is _dict:
        if "t" in reply:
            return _tuple([_wrap(part) for part in reply["t"]])
        if "l" in reply:
            return [_wrap(part) for part in reply["l"]]
        if "p" in reply:
            return reply["p"]
        return _PyFloat(reply["f"])
    return reply


def _operand(value):
    kind = type(value)
    if kind is ndarray:
        return {"h": value._h}
    if kind is _int or kind is _PyBool:
        return value
    if kind is _PyFloat:
        return value if value - value == 0 else {"f": str(value)}
    if kind in (_list, _tuple, _range):
        return {"h": array(value)._h}
    raise TypeError("unsupported types for ndarray operation: '%s'" % kind.__name__)


def _index(key):
    kind = type(key)
    if kind is _int:
        return key
    if kind is _slice:
        return [key.start, key.stop, key.step]
    if kind is _tuple:
        return {"t": [_index(part) for part in key]}
    if kind is ndarray:
        return {"h": key._h}
    raise TypeError("indices must be integers, slices, or Boolean lists")


def _h(value):
    if type(value) is ndarray:
        return value._h
    return array(value)._h


class ndarray:
    """One array: a handle, its type code and its shape."""

    def __init__(self, values, dtype=102, _reply=None):
        if _reply is None:
            _reply = _from_nested(values, dtype)
        self._h = _reply[0]
        self.dtype = _reply[1]
        self.shape = _tuple(_reply[2])
        self._t = _token(_reply[0])

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        n = 1
        for length in self.shape:
            n *= length
        return n

    @property
    def itemsize(self):
        return _ITEMSIZE[self.dtype]

    @property
    def strides(self):
        step = _ITEMSIZE[self.dtype]
        strides = []
        for length in reversed(self.shape):
            strides.insert(0, step)
            step *= length
        return _tuple(strides)

    @property
    def T(self):
        return _wrap(_call("np.transform", "transpose", self._h, None))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        return _wrap(_call("np.getitem", self._h, _index(key)))

    def __setitem__(self, key, value):
        _call("np.setitem", self._h, _index(key), _operand(value))

    def __iter__(self):
        if len(self.shape) == 1:
            return iter(self.tolist())
        return iter([_wrap(row) for row in _call("np.rows", self._h)])

    def __repr__(self):
        return _call("np.text", self._h)

    def __add__(self, other):
        return _wrap(_call("np.binary", "+", {"h": self._h}, _operand(other)))

    def __sub__(self, other):
        return _wrap(_call("np.binary", "-", {"h": self._h}, _operand(other)))

    def __mul__(self, other):
        return _wrap(_call("np.binary", "*", {"h": self._h}, _operand(other)))

    def __truediv__(self, other):
        return _wrap(_call("np.binary", "/", {"h": self._h}, _operand(other)))

    def __pow__(self, other):
        return _wrap(_call("np.binary", "**", {"h": self._h}, _operand(other)))

    def __radd__(self, other):
        return _wrap(_call("np.binary", "+", _operand(other), {"h": self._h}))

    def __rsub__(self, other):
        return _wrap(_call("np.binary", "-", _operand(other), {"h": self._h}))

    def __rmul__(self, other):
        return _wrap(_call("np.binary", "*", _operand(other), {"h": self._h}))

    def __rtruediv__(self, other):
        return _wrap(_call("np.binary", "/", _operand(other), {"h": self._h}))

    def __rpow__(self, other):
        return _wrap(_call("np.binary", "**", _operand(other), {"h": self._h}))

    def __lt__(self, other):
        return _wrap(_call("np.binary", "<", {"h": self._h}, _operand(other)))

    def __le__(self, other):
        return _wrap(_call("np.binary", "<=", {"h": self._h}, _operand(other)))

    def __gt__(self, other):
        return _wrap(_call("np.binary", ">", {"h": self._h}, _operand(other)))

    def __ge__(self, other):
        return _wrap(_call("np.binary", ">=", {"h": self._h}, _operand(other)))

    def __eq__(self, other):
        return _wrap(_call("np.binary", "==", {"h": self._h}, _operand(other)))

    def __ne__(self, other):
        return _wrap(_call("np.binary", "!=", {"h": self._h}, _operand(other)))

    def __iadd__(self, other):
        _call("np.inplace", "+", self._h, _operand(other))
        return self

    def __isub__(self, other):
        _call("np.inplace", "-", self._h, _operand(other))
        return self

    def __imul__(self, other):
        _call("np.inplace", "*", self._h, _operand(other))
        return self

    def __itruediv__(self, other):
        _call("np.inplace", "/", self._h, _operand(other))
        return self

    def __ipow__(self, other):
        _call("np.inplace", "**", self._h, _operand(other))
        return self

    def __neg__(self):
        return _wrap(_call("np.unary", "neg", self._h))

    def __pos__(self):
        return self.copy()

    def __abs__(self):
        return _wrap(_call("np.unary", "abs", self._h))

    def __invert__(self):
        return _wrap(_call("np.unary", "invert", self._h))

    def reshape(self, shape):
        return _wrap(_call("np.reshape", self._h, _shape(shape)))

    def transpose(self):
        return _wrap(_call("np.transform", "transpose", self._h, None))

    def flatten(self, *, order="C"):
        return _wrap(_call("np.transform", "flatten", self._h, order))

    def copy(self):
        return _wrap(_call("np.transform", "copy", self._h, None))

    def sort(self, *, axis=-1):
        self[:] = _wrap(_call("np.sort", "sort", self._h, axis, True))

    def byteswap(self, *, inplace=False):
        swapped = _extra("byteswap", self)
        if inplace:
            self[:] = swapped
            return self
        return swapped

    @property
    def flat(self):
        return iter(self.flatten())

    def tobytes(self):
        return _call_blob("np.data", b"", self._h)[1]

    def tolist(self):
        if len(self.shape) > 1:
            return [row.tolist() for row in self]
        values = _list(_array.array("B" if self.dtype == 63 else chr(self.dtype), self.tobytes()))
        return [v != 0 for v in values] if self.dtype == 63 else values


def _shape(shape):
    return [shape] if type(shape) is _int else _list(shape)


def _flatten(values):
    values = _list(values)
    if values and type(values[0]) in (_list, _tuple, ndarray, _range):
        inner_shape = None
        flat = []
        for part in values:
            part_flat, part_shape = _flatten(part)
            if inner_shape is None:
                inner_shape = part_shape
            elif inner_shape != part_shape:
                raise ValueError("iterables are not of the same length")
            flat.extend(part_flat)
        return flat, [len(values)] + inner_shape
    return values, [len(values)]


def _from_nested(values, dtype):
    if type(values) is ndarray:
        return _call("np.asarray", values._h, dtype)
    if not hasattr(values, "__iter__") and type(values) not in (_list, _tuple, _range, bytes, bytearray, _array.array):
        raise TypeError("input argument must be an iterable")
    flat, shape = _flatten(values)
    return _call_blob("np.make", _array.array("d", flat), shape, dtype)[0]


def array(values, *, dtype=102):
    if type(values) is ndarray:
        return _wrap(_call("np.asarray", values._h, dtype))
    return ndarray(values, dtype)


def asarray(values, *, dtype=None):
    if type(values) is ndarray:
        if dtype is None or dtype == values.dtype:
            return values
        return _wrap(_call("np.asarray", values._h, dtype))
    return ndarray(values, 102 if dtype is None else dtype)


def zeros(shape, *, dtype=102):
    return _wrap(_call("np.full", _shape(shape), dtype, 0))


empty = zeros


def ones(shape, *, dtype=102):
    return _wrap(_call("np.full", _shape(shape), dtype, 1))


def full(shape, value, *, dtype=102):
    return _wrap(_call("np.full", _shape(shape), dtype, _operand(value)))


def eye(n, *, M=None, k=0, dtype=102):
    return _wrap(_call("np.eye", n, n if M is None else M, k, dtype))


def arange(start, stop=None, step=1, *, dtype=None):
    if stop is None:
        start, stop = 0, start
    return _wrap(_call("np.arange", start, stop, step, dtype))


def linspace(start, stop, num=50, endpoint=True, dtype=102):
    return _wrap(_call("np.linspace", start, stop, num, endpoint, dtype))


def frombuffer(buffer, *, dtype=102, count=-1, offset=0):
    return _wrap(_call_blob("np.frombuffer", buffer, dtype, count, offset)[0])


def fromfile(path, *, dtype=102, count=-1, offset=0):
    """What a file holds, from byte `offset` on, as a flat array."""
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read()
    step = 4 if dtype == 102 else 2 if dtype in (72, 104) else 1
    return frombuffer(data[: len(data) // step * step], dtype=dtype, count=count)


def _reducer(name):
    def reducer(a, axis=None):
        return _wrap(_call("np.reduce", name, _h(a), axis))

    return reducer


max = _reducer("max")
min = _reducer("min")
argmax = _reducer("argmax")
argmin = _reducer("argmin")
sum = _reducer("sum")
mean = _reducer("mean")
std = _reducer("std")
median = _reducer("median")
all = _reducer("all")
any = _reducer("any")


def _elementwise(name):
    scalar = getattr(_math, name, None)

    def function(a):
        if scalar is not None and type(a) in (_int, _PyFloat):
            try:
                return scalar(a)
            except (ValueError, OverflowError):  # math refuses what ulab answers with nan or infinity
                return function([a])[0]
        return _wrap(_call("np.math", name, _h(a)))

    return function


exp = _elementwise("exp")
expm1 = _elementwise("expm1")
sqrt = _elementwise("sqrt")
log = _elementwise("log")
log2 = _elementwise("log2")
log10 = _elementwise("log10")
sin = _elementwise("sin")
cos = _elementwise("cos")
tan = _elementwise("tan")
sinh = _elementwise("sinh")
cosh = _elementwise("cosh")
tanh = _elementwise("tanh")
asin = _elementwise("asin")
acos = _elementwise("acos")
atan = _elementwise("atan")
asinh = _elementwise("asinh")
acosh = _elementwise("acosh")
atanh = _elementwise("atanh")
sinc = _elementwise("sinc")
floor = _elementwise("floor")
ceil = _elementwise("ceil")
degrees = _elementwise("degrees")
radians = _elementwise("radians")


def minimum(a, b):
    return _wrap(_call("np.binary", "minimum", {"h": _h(a)}, _operand(b)))


def maximum(a, b):
    return _wrap(_call("np.binary", "maximum", {"h": _h(a)}, _operand(b)))


def argsort(a, *, axis=None):
    return _wrap(_call("np.sort", "argsort", a._h, axis, True))


def sort(a, *, axis=-1):
    return _wrap(_call("np.sort", "sort", a._h, axis, True))


def nonzero(a):
    return _wrap(_call("np.nonzero", _h(a)))


def where(condition, x, y):
    return _wrap(_call("np.where", _operand(condition), _operand(x), _operand(y)))


def clip(a, low, high):
    return _wrap(_call("np.clip", _h(a), _operand(low), _operand(high)))


def dot(a, b):
    if type(a) is not ndarray or type(b) is not ndarray:
        raise TypeError("arguments must be ndarrays")
    return _wrap(_call("np.dot", a._h, b._h))


def concatenate(arrays, *, axis=0):
    return _wrap(_call("np.concatenate", [a._h for a in arrays], axis))


def transpose(a):
    return a.transpose()


def flip(a, *, axis=None):
    return _wrap(_call("np.transform", "flip", a._h, axis))


def roll(a, distance, *, axis=None):
    return _wrap(_call("np.transform", "roll", a._h, [distance, axis]))


def diff(a, *, n=1, axis=-1):
    return _wrap(_call("np.transform", "diff", a._h, [n, axis]))


def _extra(name, *args, **options):
    return _wrap(_call("np.extra", name, [_operand(a) if type(a) is ndarray else a for a in args], options))


def _handled(value):
    return value if type(value) in (ndarray, _int, _PyFloat) else array(value)


class linalg:
    @staticmethod
    def norm(a, *, axis=None):
        return _extra("linalg.norm", _handled(a), axis=axis)

    @staticmethod
    def inv(a):
        return _extra("linalg.inv", a)

    @staticmethod
    def det(a):
        return _extra("linalg.det", a)

    @staticmethod
    def eig(a):
        return _extra("linalg.eig", a)

    @staticmethod
    def cholesky(a):
        return _extra("linalg.cholesky", a)

    @staticmethod
    def qr(a, *, mode="reduced"):
        return _extra("linalg.qr", a)


class fft:
    @staticmethod
    def fft(real, imaginary=None):
        return _extra("fft.fft", real) if imaginary is None else _extra("fft.fft", real, imaginary)

    @staticmethod
    def ifft(real, imaginary=None):
        return _extra("fft.ifft", real) if imaginary is None else _extra("fft.ifft", real, imaginary)


class random:
    @staticmethod
    def random(size=1):
        return _extra("random.random", _shape(size))

    @staticmethod
    def uniform(low=0.0, high=1.0, size=1):
        return _extra("random.uniform", low, high, _shape(size))

    @staticmethod
    def normal(mean=0.0, deviation=1.0, size=1):
        return _extra("random.normal", mean, deviation, _shape(size))


def _plain_extra(name):
    def function(*args, **options):
        return _extra(name, *[_handled(a) for a in args], **options)

    return function


trace = _plain_extra("trace")
cross = _plain_extra("cross")
convolve = _plain_extra("convolve")
diag = _plain_extra("diag")
isfinite = _plain_extra("isfinite")
isinf = _plain_extra("isinf")
arctan2 = _plain_extra("arctan2")
polyfit = _plain_extra("polyfit")
polyval = _plain_extra("polyval")
interp = _plain_extra("interp")
bitwise_and = _plain_extra("bitwise_and")
bitwise_or = _plain_extra("bitwise_or")
bitwise_xor = _plain_extra("bitwise_xor")
left_shift = _plain_extra("left_shift")
right_shift = _plain_extra("right_shift")
around = _plain_extra("around")


def trapz(y, x=None, dx=1.0):
    return _extra("trapz", _handled(y), dx=dx) if x is None else _extra("trapz", _handled(y), _handled(x))


def compress(condition, a, *, axis=None):
    return _extra("compress", _handled(condition), _handled(a), axis=axis)


def delete(a, index, *, axis=None):
    return _extra("delete", _handled(a), index if type(index) is _int else _list(index), axis=axis)


def take(a, index, *, axis=None):
    return _extra("take", _handled(a), index if type(index) is _int else _list(index), axis=axis)


def logspace(start, stop, *, num=50, base=10.0, endpoint=True, dtype=102):
    return _extra("logspace", start, stop, num, base, endpoint)


def vectorize(function, *, otypes=102):
    """A function of one number becomes one of arrays."""

    def over(a):
        values = a if type(a) is ndarray else array([a] if type(a) in (_int, _PyFloat) else a)
        flat = array([function(value) for value in values.flatten()], dtype=otypes)
        return flat.reshape(values.shape)

    return over


_print_options = {"threshold": 10, "edgeitems": 3}


def set_printoptions(*, threshold=10, edgeitems=3):
    _print_options["threshold"], _print_options["edgeitems"] = threshold, edgeitems


def get_printoptions():
    return dict(_print_options)


def ndinfo(a):
    print(
        "class: ndarray\nshape: %s\nstrides: %s\nitemsize: %d\ntype: %s"
        % (a.shape, a.strides, a.itemsize, chr(a.dtype))
    )
