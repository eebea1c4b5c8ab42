"""The detectors of `image.Image` that OpenMV has and CanMV inherits: codes, tags, blobs, shapes, statistics.

OpenCV finds; codes are read by ZXing (OpenCV 5 gave up on 6 of 100 of our pairing codes, ZXing on none of 400). The results
carry OpenMV's names, order and units (pixels of the image, whole numbers, angles in degrees or radians as named). Magnitudes
are sums of gradients like OpenMV's, but not its numbers: thresholds that matter must be tuned on a board. Facts: public OpenMV
documentation, K230 platform notes §5.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from . import pixels as px
from .arrays import Array
from .codes import read_codes
from .hal import HalError
from .image import Image, _roi

Fields = list[tuple[str, Any]]
"""Name and value, in the order of OpenMV's index access; what comes after `None` has a name only."""

_APRILTAG_FAMILIES = {
    1: ("TAG16H5", "DICT_APRILTAG_16h5"), 2: ("TAG25H7", None), 4: ("TAG25H9", "DICT_APRILTAG_25h9"),
    8: ("TAG36H10", "DICT_APRILTAG_36h10"), 16: ("TAG36H11", "DICT_APRILTAG_36h11"), 32: ("ARTOOLKIT", None),
}  # fmt: skip
_QUIRC_LEVELS = {"M": 0, "L": 1, "H": 2, "Q": 3}
_QUIRC_DATA_TYPES = {"numeric": 1, "alphanumeric": 2, "binary": 4, "kanji": 8}
_QR_ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
_ONLY_NAMED: tuple[str, Any] = ("", None)


def region(image: Image, options: dict[str, Any]) -> tuple[int, int, Array]:
    """Left, top and the RGB pixels of the region of interest."""
    x0, y0, x1, y1 = _roi(options.get("roi"), image.width, image.height)
    return x0, y0, np.ascontiguousarray(image.rgb()[y0:y1, x0:x1])


def _grey(rgb: Array) -> Array:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


def _rect_fields(corners: Array) -> Fields:
    low, high = corners.min(axis=0), corners.max(axis=0)
    x, y, w, h = int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
    return [("x", x), ("y", y), ("w", w), ("h", h)]


def _points(corners: Array) -> list[list[int]]:
    return [[int(x), int(y)] for x, y in corners]


def _magnitude(grey: Array) -> Array:
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(dx, dy))


# ---- codes and tags -------------------------------------------------------------------------------------------------


def find_qrcodes(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Every QR code: x, y, w, h, payload, version, ecc_level, mask, data_type, eci; corners and rect by name.

    Levels and data types carry the numbers of quirc, the reader in the firmware.
    """
    left, top, rgb = region(image, with_roi(args, options))
    found: list[Fields] = []
    for code in read_codes(rgb, "QRCode"):
        placed = code.corners + np.array((left, top))
        fields = _rect_fields(placed)
        data_type = _qr_data_type(code.payload)
        size = [
            ("payload", code.payload),
            ("version", int(code.extra.get("Version", 0))),
            ("ecc_level", _QUIRC_LEVELS.get(str(code.extra.get("ECLevel")), 0)),
            ("mask", int(code.extra.get("DataMask", 0))),
            ("data_type", data_type),
            ("eci", 0),
        ]
        named = [("corners", _points(placed)), ("rect", [value for _, value in fields])]
        kinds = [(f"is_{kind}", data_type == number) for kind, number in _QUIRC_DATA_TYPES.items()]
        found.append([*fields, *size, _ONLY_NAMED, *named, *kinds])
    return found


def _qr_data_type(payload: str) -> int:
    """The densest of a QR code's ways of writing that holds this text, as an encoder chooses it."""
    if payload.isascii() and payload.isdigit():
        return _QUIRC_DATA_TYPES["numeric"]
    is_alphanumeric = set(payload) <= _QR_ALPHANUMERIC
    return _QUIRC_DATA_TYPES["alphanumeric" if is_alphanumeric else "binary"]


def find_barcodes(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Linear codes and PDF417: x, y, w, h, payload, type, rotation, quality."""
    left, top, rgb = region(image, with_roi(args, options))
    found: list[Fields] = []
    for code in read_codes(rgb, "AllLinear", "PDF417"):
        placed = code.corners + np.array((left, top))
        fields = _rect_fields(placed)
        size = [("payload", code.payload), ("type", code.kind), ("rotation", code.turn), ("quality", 1)]
        found.append([*fields, *size, _ONLY_NAMED, ("corners", _points(placed)), ("rect", [v for _, v in fields])])
    return found


def find_datamatrices(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Data matrices: x, y, w, h, payload, rotation, rows, columns, capacity, padding."""
    left, top, rgb = region(image, with_roi(args, options))
    found: list[Fields] = []
    for code in read_codes(rgb, "DataMatrix"):
        placed = code.corners + np.array((left, top))
        fields = _rect_fields(placed)
        rows, columns = code.size
        size = [("payload", code.payload), ("rotation", code.turn), ("rows", rows), ("columns", columns)]
        more = [("capacity", len(code.payload)), ("padding", 0)]
        named = [("corners", _points(placed)), ("rect", [value for _, value in fields])]
        found.append([*fields, *size, *more, _ONLY_NAMED, *named])
    return found


def find_apriltags(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """AprilTags of `families` (default TAG36H11) with pose: x, y, w, h, id, family, cx, cy, rotation, … as in OpenMV."""
    options = with_roi(args, options)
    left, top, rgb = region(image, options)
    families = int(options.get("families") or 16)
    width, height = image.width, image.height
    fx = float(options.get("fx") or 2.8 / 3.984 * width)  # OpenMV's standard lens and sensor
    fy = float(options.get("fy") or 2.8 / 2.952 * height)
    cx, cy = float(options.get("cx") or width / 2), float(options.get("cy") or height / 2)
    camera = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    square = np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]], np.float64)
    found = []
    for bit, (name, dictionary) in _APRILTAG_FAMILIES.items():
        if not families & bit:
            continue
        if dictionary is None:
            raise HalError("NotImplementedError", f"virtual K230: OpenCV does not know tag family {name}")
        detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, dictionary)))
        corners, ids, _ = detector.detectMarkers(_grey(rgb))
        for quad, number in zip(corners, [] if ids is None else ids.reshape(-1), strict=True):
            placed = quad.reshape(4, 2) + np.array((left, top))
            centre = placed.mean(axis=0)
            _, turn, shift = cv2.solvePnP(
                square, placed.astype(np.float64), camera, None, flags=cv2.SOLVEPNP_IPPE_SQUARE
            )
            matrix = cv2.Rodrigues(turn)[0]
            angles = [
                math.atan2(matrix[2, 1], matrix[2, 2]),
                math.asin(-matrix[2, 0]),
                math.atan2(matrix[1, 0], matrix[0, 0]),
            ]
            rx, ry, rz = (angle % (2 * math.pi) for angle in angles)
            fields = _rect_fields(placed)
            found.append([
                *fields, ("id", int(number)), ("family", bit), ("cx", int(centre[0])), ("cy", int(centre[1])),
                ("rotation", rz), ("decision_margin", 1.0), ("hamming", 0), ("goodness", 0.0),
                ("x_translation", float(shift[0, 0])), ("y_translation", float(shift[1, 0])),
                ("z_translation", -float(shift[2, 0])), ("x_rotation", rx), ("y_rotation", ry), ("z_rotation", rz),
                _ONLY_NAMED, ("corners", _points(placed)), ("rect", [value for _, value in fields]),
            ])  # fmt: skip
    return found


# ---- blobs and shapes -----------------------------------------------------------------------------------------------


def threshold_mask(image: Image, rgb: Array, threshold: Any) -> Array:
    """Pixels within (low, high) grey levels, or (L, L, A, A, B, B) of a colour picture."""
    bounds = [float(value) for value in threshold]
    if image.format == px.GRAYSCALE or len(bounds) == 2:
        grey = _grey(rgb)
        return np.asarray((grey >= min(bounds[:2])) & (grey <= max(bounds[:2])))
    if len(bounds) < 6:
        raise HalError("ValueError", "a threshold is (low, high), or (l_low, l_high, a_low, a_high, b_low, b_high)")
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    mask = np.ones(lab.shape[:2], bool)
    for channel in range(3):
        low, high = sorted(bounds[2 * channel : 2 * channel + 2])
        mask &= (lab[:, :, channel] >= low) & (lab[:, :, channel] <= high)
    return mask


def _blob(points: Array, code: int, count: int, left: int, top: int) -> Fields:
    """A blob of (n, 2) y, x pixels."""
    xy = points[:, ::-1] + np.array((left, top))
    low, high = xy.min(axis=0), xy.max(axis=0) + 1
    (x, y), (w, h) = low, high - low
    mean = xy.mean(axis=0)
    spread = np.cov((xy - mean).T) if len(xy) > 1 else np.zeros((2, 2))
    angle = 0.5 * math.atan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1]) % math.pi
    eigen = np.linalg.eigvalsh(spread)
    elongation = 1 - math.sqrt(max(eigen[0], 0) / eigen[1]) if eigen[1] > 0 else 0.0
    hull = cv2.convexHull(xy.astype(np.int32)).reshape(-1, 2)
    box = cv2.boxPoints(cv2.minAreaRect(hull))
    outline = cv2.arcLength(hull.reshape(-1, 1, 2), True)
    area = int(w * h)
    return [
        ("x", int(x)), ("y", int(y)), ("w", int(w)), ("h", int(h)), ("pixels", len(xy)), ("cx", round(mean[0])),
        ("cy", round(mean[1])), ("rotation", angle), ("code", code), ("count", count), ("perimeter", int(outline)),
        ("roundness", 1 - elongation), _ONLY_NAMED, ("rect", [int(x), int(y), int(w), int(h)]), ("cxf", float(mean[0])),
        ("cyf", float(mean[1])), ("rotation_deg", int(math.degrees(angle))), ("rotation_rad", angle), ("area", area),
        ("density", len(xy) / area), ("extent", len(xy) / area), ("elongation", elongation),
        ("compactness", 4 * math.pi * len(xy) / outline**2 if outline else 0.0), ("solidity", len(xy) / area),
        ("corners", _points(hull[:4]) if len(hull) >= 4 else _points(box)), ("min_corners", _points(box)),
    ]  # fmt: skip


def find_blobs(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Regions within one of the thresholds; options invert, roi, area_threshold, pixels_threshold, merge, margin."""
    if not args or not isinstance(args[0], list):
        raise HalError("TypeError", "find_blobs takes a list of thresholds")
    left, top, rgb = region(image, options)
    least_area, least_pixels = int(options.get("area_threshold", 10)), int(options.get("pixels_threshold", 10))
    margin = int(options.get("margin") or 0) if options.get("merge") else 0
    groups: list[tuple[Array, int, int]] = []
    for number, threshold in enumerate(args[0]):
        mask = threshold_mask(image, rgb, threshold)
        if options.get("invert"):
            mask = ~mask
        n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        for label in range(1, n):
            x, y, w, h, pixels = (int(v) for v in stats[label])
            if w * h >= least_area and pixels >= least_pixels:
                inside = np.argwhere(labels[y : y + h, x : x + w] == label) + np.array((y, x))
                groups.append((inside, 1 << number, 1))
    if options.get("merge"):
        groups = _merged(groups, margin)
    return [_blob(points, code, count, left, top) for points, code, count in groups]


def _merged(groups: list[tuple[Array, int, int]], margin: int) -> list[tuple[Array, int, int]]:
    """Regions whose rectangles touch become one."""
    done = False
    while not done:
        done = True
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                low_i, high_i = groups[i][0].min(axis=0), groups[i][0].max(axis=0)
                low_j, high_j = groups[j][0].min(axis=0), groups[j][0].max(axis=0)
                if (low_i <= high_j + margin).all() and (low_j <= high_i + margin).all():
                    first, second = groups[i], groups.pop(j)
                    groups[i] = (np.concatenate([first[0], second[0]]), first[1] | second[1], first[2] + second[2])
                    done = False
                    break
            if not done:
                break
    return groups


def find_rects(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Four-cornered outlines: x, y, w, h, magnitude; corners by name. Option threshold: least sum of gradients."""
    left, top, rgb = region(image, with_roi(args, options))
    grey = _grey(rgb)
    slope = _magnitude(grey)
    outlines, _ = cv2.findContours(
        cv2.dilate(cv2.Canny(grey, 50, 150), np.ones((3, 3), np.uint8)), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
    )
    found: list[Fields] = []
    centres: list[Array] = []
    for outline in sorted(outlines, key=cv2.contourArea, reverse=True):
        quad = cv2.approxPolyDP(outline, 0.04 * cv2.arcLength(outline, True), True)
        if len(quad) != 4 or not cv2.isContourConvex(quad) or cv2.contourArea(quad) < 64:
            continue
        path = np.zeros(grey.shape, np.uint8)
        cv2.polylines(path, [quad], True, 1, 3)
        magnitude = int(slope[path == 1].sum())
        middle = quad.reshape(4, 2).mean(axis=0)
        if magnitude < float(options.get("threshold", 1000)) or any(np.abs(middle - c).max() < 4 for c in centres):
            continue
        centres.append(middle)
        placed = quad.reshape(4, 2) + np.array((left, top))
        fields = _rect_fields(placed)
        named = [("corners", _points(placed)), ("rect", [value for _, value in fields])]
        found.append([*fields, ("magnitude", magnitude), _ONLY_NAMED, *named])
    return found


def find_circles(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Circles: x, y, r, magnitude. Options threshold, r_min, r_max, x_margin."""
    left, top, rgb = region(image, with_roi(args, options))
    grey = _grey(rgb)
    slope = _magnitude(grey)
    r_min = int(options.get("r_min") or 2)
    r_max = int(options.get("r_max") or min(grey.shape) // 2)
    apart = max(8, int(options.get("x_margin") or 10))
    seen = cv2.HoughCircles(cv2.medianBlur(grey, 5), cv2.HOUGH_GRADIENT, 1, apart, None, 120, 18, r_min, r_max)
    found = []
    for x, y, r in [] if seen is None else seen[0]:
        ring = np.zeros(grey.shape, np.uint8)
        cv2.circle(ring, (round(x), round(y)), round(r), 1, 3)
        magnitude = int(slope[ring == 1].sum())
        if magnitude >= float(options.get("threshold", 2000)):
            circle = [round(x) + left, round(y) + top, round(r)]
            found.append(
                [
                    ("x", circle[0]),
                    ("y", circle[1]),
                    ("r", circle[2]),
                    ("magnitude", magnitude),
                    _ONLY_NAMED,
                    ("circle", circle),
                ]
            )
    return found


def line_fields(ends_xy: Any, slope: Array, left: int, top: int) -> Fields:
    """A line from x1, y1 to x2, y2 of the region."""
    x1, y1, x2, y2 = (float(value) for value in ends_xy)
    path = np.zeros(slope.shape, np.uint8)
    cv2.line(path, (round(x1), round(y1)), (round(x2), round(y2)), 1, 1)
    theta = (math.degrees(math.atan2(y2 - y1, x2 - x1)) + 90) % 180
    rho = x1 * math.cos(math.radians(theta)) + y1 * math.sin(math.radians(theta))
    ends = [round(x1) + left, round(y1) + top, round(x2) + left, round(y2) + top]
    return [
        *zip(("x1", "y1", "x2", "y2"), ends, strict=True), ("length", round(math.hypot(x2 - x1, y2 - y1))),
        ("magnitude", int(slope[path == 1].sum())), ("theta", round(theta) % 180), ("rho", round(rho)), _ONLY_NAMED,
        ("line", ends),
    ]  # fmt: skip


def find_lines(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Straight lines across the region: x1, y1, x2, y2, length, magnitude, theta (degrees), rho."""
    left, top, rgb = region(image, with_roi(args, options))
    grey = _grey(rgb)
    slope, (high, wide) = _magnitude(grey), grey.shape
    near_theta, near_rho = float(options.get("theta_margin", 25)), float(options.get("rho_margin", 25))
    lines = cv2.HoughLines(cv2.Canny(grey, 50, 150), 1, math.pi / 180, max(30, min(high, wide) // 4))
    found: list[Fields] = []
    for rho, theta in [] if lines is None else lines[:, 0]:
        degrees = math.degrees(theta) % 180
        if any(abs(degrees - dict(f)["theta"]) < near_theta and abs(rho - dict(f)["rho"]) < near_rho for f in found):
            continue
        x0, y0, dx, dy = rho * math.cos(theta), rho * math.sin(theta), -math.sin(theta), math.cos(theta)
        reach = wide + high
        is_in, a, b = cv2.clipLine(
            (0, 0, wide, high),
            (round(x0 - reach * dx), round(y0 - reach * dy)),
            (round(x0 + reach * dx), round(y0 + reach * dy)),
        )
        if is_in:
            fields = line_fields((*a, *b), slope, left, top)
            fields[6], fields[7] = ("theta", round(degrees) % 180), ("rho", round(float(rho)))
            if dict(fields)["magnitude"] >= float(options.get("threshold", 1000)):
                found.append(fields)
    return found


def find_line_segments(image: Image, args: list[Any], options: dict[str, Any]) -> list[Fields]:
    """Segments, longest first, with the fields of find_lines()."""
    left, top, rgb = region(image, with_roi(args, options))
    grey = _grey(rgb)
    slope = _magnitude(grey)
    lines = cv2.createLineSegmentDetector().detect(grey)[0]
    found = [line_fields(line, slope, left, top) for line in ([] if lines is None else lines.reshape(-1, 4))]
    return sorted(found, key=lambda fields: -int(dict(fields)["length"]))


def find_template(image: Image, args: list[Any], options: dict[str, Any]) -> list[int] | None:
    """x, y, w, h of the best match of a grey template that correlates at least `threshold` (0..1), or None."""
    left, top, rgb = region(image, options)
    template = args[0]
    if not isinstance(template, Image):
        raise HalError("TypeError", "find_template takes an image")
    pattern = _grey(np.ascontiguousarray(template.rgb()))
    if pattern.shape[0] > rgb.shape[0] or pattern.shape[1] > rgb.shape[1]:
        raise HalError("ValueError", "template image is larger than the region")
    match = cv2.matchTemplate(_grey(rgb), pattern, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(match)
    is_found = best >= float(args[1] if len(args) > 1 else options.get("threshold", 0.7))
    return [x + left, y + top, pattern.shape[1], pattern.shape[0]] if is_found else None


# ---- statistics -----------------------------------------------------------------------------------------------------


def statistics(image: Image, args: list[Any], options: dict[str, Any]) -> Fields:
    """mean, median, mode, stdev, min, max, lq, uq; for colour l_*, a_*, b_* of LAB."""
    _, _, rgb = region(image, with_roi(args, options))
    if options.get("thresholds"):
        mask = np.any([threshold_mask(image, rgb, threshold) for threshold in options["thresholds"]], axis=0)
    else:
        mask = np.ones(rgb.shape[:2], bool)
    if not mask.any():
        raise HalError("ValueError", "no pixel is within the thresholds")
    if image.format == px.GRAYSCALE:
        return _numbers("", _grey(rgb)[mask])
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[mask]
    fields = [field for channel, name in enumerate("lab") for field in _numbers(f"{name}_", lab[:, channel])]
    return [*fields, _ONLY_NAMED, *[(name[2:], value) for name, value in fields[:8]]]


def _numbers(prefix: str, values: Array) -> Fields:
    whole = np.rint(values).astype(np.int64)
    low = int(whole.min())
    mode = int(np.bincount(whole - low).argmax()) + low
    lower, middle, upper = (int(v) for v in np.percentile(whole, (25, 50, 75)))
    numbers = (round(values.mean()), middle, mode, round(values.std()), low, int(whole.max()), lower, upper)
    names = ("mean", "median", "mode", "stdev", "min", "max", "lq", "uq")
    return [(prefix + name, int(number)) for name, number in zip(names, numbers, strict=True)]


def histogram(image: Image, args: list[Any], options: dict[str, Any]) -> Fields:
    """Bins (shares that add up to 1) of a grey picture, or l_bins, a_bins, b_bins of a colour one."""
    _, _, rgb = region(image, with_roi(args, options))
    if image.format == px.GRAYSCALE:
        n = int(options.get("bins") or 256)
        return [("bins", (np.histogram(_grey(rgb), n, (0, 256))[0] / rgb[:, :, 0].size).tolist())]
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    fields = []
    for channel, (name, low, high, count) in enumerate(
        (("l_bins", 0, 101, 101), ("a_bins", -128, 128, 256), ("b_bins", -128, 128, 256))
    ):
        n = int(options.get(name) or options.get("bins") or count)
        fields.append((name, (np.histogram(lab[:, :, channel], n, (low, high))[0] / lab[:, :, 0].size).tolist()))
    return [*fields, _ONLY_NAMED, ("bins", fields[0][1])]


def with_roi(args: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The region may be the first positional argument."""
    return {**options, "roi": args[0]} if args and isinstance(args[0], list) and len(args[0]) == 4 else options


DETECTORS: dict[str, Callable[[Image, list[Any], dict[str, Any]], Any]] = {
    function.__name__: function
    for function in (
        find_qrcodes, find_barcodes, find_datamatrices, find_apriltags, find_blobs, find_rects, find_circles, find_lines,
        find_line_segments, find_template, statistics, histogram,
    )
}  # fmt: skip


class DetectorOps:
    """The operation behind every find_…() of one board's images."""

    def __init__(self, board: Any) -> None:
        self._images = board.images

    def detect(self, handle: int, name: str, args: list[Any], options: dict[str, Any]) -> Any:
        """Results as [[n indexed, [[name, value], …]], …]; one such pair for statistics and histograms."""
        images = self._images
        args = [images.get(argument["h"]) if isinstance(argument, dict) else argument for argument in args]
        found = DETECTORS[name](images.get(handle), args, options)
        if found is None or name == "find_template":
            return found
        return (
            plain_fields(found) if name in ("statistics", "histogram") else [plain_fields(fields) for fields in found]
        )


def plain_fields(fields: Fields) -> list[Any]:
    """Fields as they travel: [n indexed, [[name, value], ...]]."""
    names = [name for name, _ in fields]
    n = names.index("") if "" in names else len(names)
    return [n, [[name, value] for name, value in fields if name]]


def register(hal: Any, board: Any) -> None:
    """Give the board's images their detectors; after image.register()."""
    from . import features  # it builds on this file

    hal.op("image.detect", DetectorOps(board).detect)
    features.register(hal, board)
