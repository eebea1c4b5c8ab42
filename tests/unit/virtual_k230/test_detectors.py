"""The detectors and filters of image.Image: shapes drawn into a picture are found where they were drawn."""

from __future__ import annotations

import io
import random

import cv2
import numpy as np
import PIL.Image
import pytest
import segno

from fakes.virtual_parts import VirtualParts, error_of
from snaploop_shared.pairing import Invitation
from virtual_k230 import pixels as px
from virtual_k230.filters import PAIRS, PLAIN
from virtual_k230.image import Image


@pytest.fixture(scope="module")
def parts() -> VirtualParts:
    return VirtualParts()


def picture(parts: VirtualParts, rgb: np.ndarray, pixel_format: int = px.RGB565) -> int:
    return int(parts.board.handles.put(Image(px.from_rgb(np.ascontiguousarray(rgb), pixel_format), pixel_format)))


def detect(parts: VirtualParts, handle: int, name: str, *args, **options):
    found = parts.call("image.detect", handle, name, list(args), options)
    return [dict(fields) for _, fields in found]


def seen(code: segno.QRCode, side: int) -> np.ndarray:
    """The code in a camera's picture of 640×360, `side` pixels wide with its white border."""
    small = io.BytesIO()
    code.save(small, kind="png", scale=8, border=4)
    view = PIL.Image.new("RGB", (640, 360), (120, 120, 120))
    view.paste(PIL.Image.open(small).convert("RGB").resize((side, side)), ((640 - side) // 2, (360 - side) // 2))
    return np.asarray(view)


def black(width: int = 200, height: int = 120) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_qr_code_is_read_where_it_is(parts):
    code = cv2.QRCodeEncoder.create().encode("snaploop://192.168.1.9:8230?code=4711")
    big = cv2.resize(code, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    rgb = np.full((300, 400, 3), 255, np.uint8)
    rgb[40 : 40 + big.shape[0], 100 : 100 + big.shape[1]] = big[:, :, None]
    (found,) = detect(parts, picture(parts, rgb), "find_qrcodes")
    assert found["payload"] == "snaploop://192.168.1.9:8230?code=4711"
    assert 95 < found["x"] < 130 and 35 < found["y"] < 70
    assert len(found["corners"]) == 4 and found["rect"] == [found[k] for k in "xywh"]
    assert (found["data_type"], found["is_binary"], found["is_numeric"]) == (4, True, False)
    assert detect(parts, picture(parts, black()), "find_qrcodes") == []
    assert detect(parts, picture(parts, rgb), "find_qrcodes", roi=[0, 0, 90, 300]) == []


@pytest.mark.parametrize(
    ("text", "level", "data_type"), [("4711" * 9, "L", 1), ("SNAPLOOP $1.50", "H", 2), ("snaploop", "Q", 4)]
)
def test_qr_code_tells_how_it_was_written_in_quircs_numbers(parts, text, level, data_type):
    code = segno.make(text, error=level, boost_error=False, micro=False)
    (found,) = detect(parts, picture(parts, seen(code, 300)), "find_qrcodes")
    said = (found["payload"], found["version"], found["mask"], found["data_type"])
    assert said == (text, code.version, code.mask, data_type)
    assert found["ecc_level"] == {"M": 0, "L": 1, "H": 2, "Q": 3}[level]


def test_every_pairing_code_is_read_whatever_its_dots(parts):
    chance = random.Random(4)
    for _ in range(60):
        port, secret = chance.randrange(1024, 65536), f"{chance.getrandbits(128):032x}"
        text = Invitation("127.0.0.1", port, secret, "home", "12345678").text()
        rgb = seen(segno.make(text, error="m", micro=False), 280)
        assert [code["payload"] for code in detect(parts, picture(parts, rgb), "find_qrcodes")] == [text]


def test_april_tag_with_its_number_and_turn(parts):
    tag = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11), 7, 100)
    rgb = np.full((240, 320, 3), 255, np.uint8)
    rgb[70:170, 110:210] = tag[:, :, None]
    handle = picture(parts, rgb)
    (found,) = detect(parts, handle, "find_apriltags", families=16)
    assert (found["id"], found["family"]) == (7, 16)
    assert abs(found["cx"] - 160) < 3 and abs(found["cy"] - 120) < 3
    assert min(found["rotation"], 2 * np.pi - found["rotation"]) < 0.1
    assert found["z_translation"] < 0
    assert error_of(detect, parts, handle, "find_apriltags", families=2)[0] == "NotImplementedError"
    assert detect(parts, handle, "find_datamatrices") == []


def test_bar_code(parts):
    digits = "5901234123457"
    left = [
        "0001101",
        "0011001",
        "0010011",
        "0111101",
        "0100011",
        "0110001",
        "0101111",
        "0111011",
        "0110111",
        "0001011",
    ]
    parity = ["LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL"]
    flip = str.maketrans("01", "10")
    right = [code.translate(flip) for code in left]
    half = "".join(
        left[int(d)] if kind == "L" else right[int(d)][::-1]
        for d, kind in zip(digits[1:7], parity[int(digits[0])], strict=True)
    )
    modules = "101" + half + "01010" + "".join(right[int(d)] for d in digits[7:]) + "101"
    rgb = np.full((160, 420, 3), 255, np.uint8)
    for index, module in enumerate(modules):
        if module == "1":
            rgb[40:120, 60 + 2 * index : 62 + 2 * index] = 0
    (found,) = detect(parts, picture(parts, rgb, px.RGB888), "find_barcodes")
    assert found["payload"] == digits


def test_blobs_by_colour_with_merge_and_codes(parts):
    rgb = black()
    rgb[40:70, 50:90] = (255, 0, 0)
    rgb[75:95, 60:80] = (255, 0, 0)
    cv2.circle(rgb, (150, 60), 15, (0, 255, 0), -1)
    red, green = [20, 80, 40, 127, 10, 127], [50, 100, -128, -30, 10, 127]
    handle = picture(parts, rgb)
    blobs = detect(parts, handle, "find_blobs", [red, green], pixels_threshold=50, area_threshold=50)
    assert sorted((b["code"], b["x"], b["y"], b["w"], b["h"]) for b in blobs) == [
        (1, 50, 40, 40, 30), (1, 60, 75, 20, 20), (2, 135, 45, 31, 31),
    ]  # fmt: skip
    assert next(b for b in blobs if b["code"] == 2)["roundness"] > 0.9
    merged = detect(parts, handle, "find_blobs", [red], merge=True, margin=10)
    assert [(b["rect"], b["count"]) for b in merged] == [([50, 40, 40, 55], 2)]
    assert detect(parts, handle, "find_blobs", [red], area_threshold=5000) == []
    assert error_of(detect, parts, handle, "find_blobs")[0] == "TypeError"


def test_rectangles_circles_and_lines(parts):
    rgb = black()
    cv2.rectangle(rgb, (20, 20), (80, 70), (255, 255, 255), -1)
    (rect,) = detect(parts, picture(parts, rgb), "find_rects", threshold=1000)
    assert np.abs(np.array(rect["rect"]) - [20, 20, 60, 50]).max() <= 4
    rgb = black()
    cv2.circle(rgb, (120, 60), 30, (255, 255, 255), -1)
    circles = detect(parts, picture(parts, rgb), "find_circles", threshold=1000, r_min=20, r_max=50)
    assert np.abs(np.array(circles[0]["circle"]) - [120, 60, 30]).max() <= 3
    rgb = black()
    cv2.line(rgb, (0, 60), (199, 60), (255, 255, 255), 3)
    handle = picture(parts, rgb, px.GRAYSCALE)
    line = detect(parts, handle, "find_lines", threshold=500)[0]
    assert line["theta"] in (89, 90, 91) and abs(line["rho"] - 60) <= 3
    segment = detect(parts, handle, "find_line_segments")[0]
    assert segment["length"] > 180 and abs(segment["y1"] - 60) <= 3


def test_template_statistics_and_histogram(parts):
    rgb = np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8)
    handle = picture(parts, rgb, px.GRAYSCALE)
    patch = picture(parts, rgb[20:30, 30:45], px.GRAYSCALE)
    assert parts.call("image.detect", handle, "find_template", [{"h": patch}, 0.9], {}) == [30, 20, 15, 10]
    assert parts.call("image.detect", picture(parts, black(80, 60)), "find_template", [{"h": patch}, 0.9], {}) is None
    n, fields = parts.call("image.detect", handle, "statistics", [], {})
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    assert n == 8 and dict(fields)["min"] == grey.min() and dict(fields)["mean"] == round(grey.mean())
    n, fields = parts.call("image.detect", handle, "histogram", [], {"bins": 16})
    assert n == 1 and len(fields[0][1]) == 16 and sum(fields[0][1]) == pytest.approx(1)
    n, fields = parts.call("image.detect", picture(parts, rgb), "statistics", [], {})
    assert n == 24 and dict(fields)["mean"] == dict(fields)["l_mean"]


@pytest.mark.parametrize("pixel_format", [px.GRAYSCALE, px.RGB565, px.RGB888])
def test_every_filter_runs_on_every_format(parts, pixel_format):
    rgb = np.random.default_rng(2).integers(0, 255, (24, 32, 3), np.uint8)
    other = picture(parts, 255 - rgb, pixel_format)
    for name in [*PLAIN, "replace", "find_edges"]:
        parts.call(
            "image.filter", picture(parts, rgb, pixel_format), name, [], {"hmirror": True} if name == "replace" else {}
        )
    for name in [*PAIRS, "blend", "replace"]:
        parts.call("image.filter", picture(parts, rgb, pixel_format), name, [{"h": other}], {})
    assert error_of(parts.call, "image.filter", other, "no_such_filter", [], {})[0] == "AttributeError"


def test_what_filters_do(parts):
    rgb = black(20, 20)
    rgb[8:12, 8:12] = 255

    def after(name, *args, **options):
        handle = picture(parts, rgb, px.GRAYSCALE)
        parts.call("image.filter", handle, name, list(args), options)
        return parts.board.images.get(handle).pixels

    assert (after("dilate", 1) > 0).sum() == 36 and (after("erode", 1) > 0).sum() == 4
    assert (after("invert") == 0).sum() == 16
    assert (after("binary", [[200, 255]], invert=True) == 0).sum() == 16
    assert after("difference", 255)[10, 10] == 0 and after("add", 100)[0, 0] > 90
    assert (after("median", 3) > 0).sum() == 0 and after("mean", 1)[7, 7] in (28, 29)
    assert after("mode", 3).max() == 0
    handle = picture(parts, rgb)
    small = picture(parts, black(10, 10))
    assert error_of(parts.call, "image.filter", handle, "difference", [{"h": small}], {})[1].startswith(
        "images must have"
    )


def test_flood_fill_and_colour_conversion(parts):
    rgb = black(20, 20)
    rgb[5:15, 5:15] = 255
    handle = picture(parts, rgb, px.RGB888)
    parts.call("image.flood_fill", handle, 10, 10, {"color": [255, 0, 0]})
    pixels = parts.board.images.get(handle).pixels
    assert pixels[10, 10].tolist() == [255, 0, 0] and pixels[2, 2].tolist() == [0, 0, 0]
    assert (pixels[:, :, 0] == 255).sum() == 100
    assert parts.call("image.colour", "rgb_to_lab", [255, 0, 0]) == [53, 80, 67]
    assert parts.call("image.colour", "lab_to_rgb", [53, 80, 67])[0] >= 250
    assert parts.call("image.colour", "rgb_to_grayscale", [255, 255, 255]) == 255
