"""The image module's Python side: formats, JPEG, saving with the board's refusals, drawing and its record."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import ImageFont

from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230 import drawing
from virtual_k230 import pixels as px


@pytest.fixture
def parts(tmp_path):
    return VirtualParts(card=tmp_path)


def _new(parts, pixel_format, size=(64, 48)):
    return parts.call("image.new", *size, pixel_format)[0]


def _photo(parts, pixel_format):
    rgb = parts.board.camera.scaled(320, 192)
    data = px.from_rgb(rgb, pixel_format).tobytes()
    return parts.call("image.from_data", 320, 192, pixel_format, blob=data)[0], rgb


@pytest.mark.parametrize(
    "pixel_format, shape, n_bytes",
    [
        (px.RGB565, (48, 64, 2), 6144), (px.RGB888, (48, 64, 3), 9216), (px.RGBP888, (3, 48, 64), 9216),
        (px.ARGB8888, (48, 64, 4), 12288), (px.GRAYSCALE, (48, 64), 3072),
    ],
)  # fmt: skip
def test_numpy_view_shares_memory(parts, pixel_format, shape, n_bytes):
    handle, *info = parts.call("image.new", 64, 48, pixel_format)
    assert info == [64, 48, pixel_format, n_bytes]
    view = parts.numpy(parts.call("image.numpy_ref", handle))
    assert view.shape == shape
    view[:] = 7
    parts.call("image.data", handle)
    assert parts.blob == bytes([7]) * n_bytes


def test_yuv_and_jpeg_have_no_numpy_view(parts):
    yuv = _new(parts, px.YUV420)
    assert error_of(parts.call, "image.numpy_ref", yuv) == ("ValueError", "image format not support")
    parts.call("image.data", yuv)
    assert len(parts.blob) == 64 * 48 * 3 // 2


@pytest.mark.parametrize("pixel_format", [px.RGB565, px.RGB888, px.RGBP888, px.ARGB8888, px.YUV420, px.BGR888])
def test_formats_hold_the_picture(parts, pixel_format):
    handle, rgb = _photo(parts, pixel_format)
    tolerance = {px.RGB565: 5, px.YUV420: 8}.get(pixel_format, 0.01)
    assert np.abs(parts.board.images.get(handle).rgb().astype(int) - rgb).mean() < tolerance


@pytest.mark.parametrize("pixel_format", [px.RGB565, px.RGB888, px.GRAYSCALE, px.ARGB8888])
def test_jpeg_of_what_the_board_can_compress(parts, pixel_format):
    handle, rgb = _photo(parts, pixel_format)
    info = parts.call("image.compress", handle, 92, False)
    assert info[1:4] == [320, 192, px.JPEG]
    assert info[4] == len(parts.blob)
    decoded = cv2.imdecode(np.frombuffer(parts.blob, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    wanted = rgb if pixel_format != px.GRAYSCALE else cv2.cvtColor(cv2.cvtColor(rgb, 7), 8)
    assert np.abs(decoded.astype(int) - wanted).mean() < 8


def test_quality_matters_and_is_bounded(parts):
    handle, _ = _photo(parts, px.RGB565)
    sizes = [parts.call("image.convert", handle, px.JPEG, {"quality": q})[4] for q in (20, 90)]
    assert sizes[0] * 2 < sizes[1]
    assert error_of(parts.call, "image.compress", handle, 101, False)[0] == "ValueError"


@pytest.mark.parametrize("pixel_format", [px.RGBP888, px.YUV420])
def test_jpeg_of_planar_frames_is_refused(parts, pixel_format):
    handle, _ = _photo(parts, pixel_format)
    assert error_of(parts.call, "image.compress", handle, 90, False)[0] == "ValueError"


@pytest.mark.parametrize("pixel_format", [px.RGB888, px.RGBP888, px.YUV420, px.ARGB8888])
def test_save_refuses_what_the_firmware_refuses(parts, pixel_format):
    handle, _ = _photo(parts, pixel_format)
    error = error_of(parts.call, "image.encode", handle, "/sdcard/x.jpg", None, 50)
    assert error == ("OSError", "current format not support save function!")


@pytest.mark.parametrize(
    "name, start", [("x.jpg", b"\xff\xd8"), ("X.BMP", b"BM"), ("x.png", b"\x89PNG"), ("x.ppm", b"P6")]
)
def test_save_of_rgb565_by_extension(parts, name, start):
    handle, _ = _photo(parts, px.RGB565)
    parts.call("image.encode", handle, f"/sdcard/{name}", None, 80)
    assert parts.blob.startswith(start)


@pytest.mark.parametrize("pixel_format", [px.RGB888, px.RGBP888, px.YUV420])
def test_save_with_another_extension_dumps_any_format(parts, pixel_format):
    handle, _ = _photo(parts, pixel_format)
    parts.call("image.encode", handle, "/sdcard/camera_chn_00_8x8.yuv420sp", None, 50)
    assert parts.blob == parts.board.images.get(handle).pixels.tobytes()


def test_save_without_known_extension_dumps_raw_and_a_jpeg_is_written_as_it_is(parts):
    handle, _ = _photo(parts, px.RGB565)
    parts.call("image.encode", handle, "/sdcard/x.bin", None, 80)
    assert parts.blob == parts.board.images.get(handle).pixels.tobytes()
    jpeg = parts.call("image.compress", handle, 92, False)[0]
    stream = parts.blob
    parts.call("image.encode", jpeg, "/sdcard/x.jpg", None, 10)
    assert parts.blob == stream


def test_compress_in_place_changes_the_image(parts):
    handle, _ = _photo(parts, px.RGB565)
    assert parts.call("image.compress", handle, 80, True)[0] == handle
    assert parts.board.images.get(handle).format == px.JPEG


def test_loading_files(parts, tmp_path):
    picture = np.full((20, 30, 3), (200, 100, 50), np.uint8)
    for name in ("a.jpg", "a.png", "a.bmp"):
        cv2.imwrite(str(tmp_path / name), picture[:, :, ::-1])
    assert parts.call("image.load", "/sdcard/a.jpg")[1:4] == [30, 20, px.JPEG]
    assert parts.blob.startswith(b"\xff\xd8")
    assert parts.call("image.load", "/sdcard/a.png")[3] == px.PNG
    bmp = parts.call("image.load", "/sdcard/a.bmp")
    assert bmp[3] == px.RGB565
    rgb = parts.call("image.convert", parts.call("image.load", "/sdcard/a.jpg")[0], px.RGB888, {})
    assert parts.call("image.pixel", rgb[0], 3, 3) == pytest.approx([200, 100, 50], abs=4)
    assert error_of(parts.call, "image.load", "/sdcard/none.jpg") == ("OSError", 2)
    (tmp_path / "b.jpg").write_text("text")
    assert error_of(parts.call, "image.load", "/sdcard/b.jpg")[0] == "OSError"


def test_image_over_an_array_shares_its_memory(parts):
    array = parts.array(np.zeros(64 * 48 * 4), np.uint8)
    handle = parts.call("image.from_array", 64, 48, px.ARGB8888, array)[0]
    parts.call("image.draw", handle, "rectangle", [0, 0, 2, 2], {"color": [9, 1, 2, 3], "fill": True})
    assert parts.board.handles.get(array, np.ndarray)[:4].tolist() == [9, 1, 2, 3]
    assert error_of(parts.call, "image.from_array", 65, 48, px.ARGB8888, array)[0] == "ValueError"


def test_copy_of_a_region_and_crop_in_place(parts):
    handle, rgb = _photo(parts, px.RGB888)
    part = parts.call("image.copy", handle, [10, 20, 30, 40], {})
    assert part[1:3] == [30, 40]
    assert np.array_equal(parts.board.images.get(part[0]).pixels, rgb[20:60, 10:40])
    assert parts.call("image.crop_in_place", handle, [0, 0, 100, 50], {"x_size": 50})[:3] == [handle, 50, 50]
    assert error_of(parts.call, "image.copy", handle, [400, 0, 5, 5], {})[0] == "ValueError"


@pytest.mark.parametrize("pixel_format", [px.RGB565, px.RGB888, px.ARGB8888, px.GRAYSCALE])
def test_every_shape_leaves_ink_and_a_record(parts, pixel_format):
    handle = _new(parts, pixel_format, (200, 120))
    calls = {
        "line": [5, 5, 60, 60], "rectangle": [70, 5, 30, 30], "circle": [140, 30, 12], "ellipse": [30, 90, 20, 10],
        "cross": [100, 90], "arrow": [140, 60, 190, 110],
    }  # fmt: skip
    image = parts.board.images.get(handle)
    for shape, args in calls.items():
        before = image.rgb().copy()
        parts.call("image.draw", handle, shape, args, {"color": [250, 250, 250]})
        assert (image.rgb() != before).any(), shape
    parts.call("image.draw_string", handle, 60, 50, 20, "Ab", [250, 250, 250], None)
    assert [call[0] for call in image.drawn] == [*calls, "string"]
    parts.call("image.clear", handle)
    assert not image.pixels.any() and not image.drawn


def test_drawing_arguments_are_checked_as_the_c_code_does(parts):
    handle = _new(parts, px.ARGB8888)
    draw = lambda *args, **options: error_of(parts.call, "image.draw", handle, "rectangle", list(args), options)  # noqa: E731
    assert draw(1.0, 2, 3, 4) == ("TypeError", "can't convert float to int")
    assert draw(1, 2, 3)[0] == "TypeError"
    assert draw(1, 2, 3, 4, color=[1, 2])[0] == "ValueError"
    planar = _new(parts, px.RGBP888)
    assert error_of(parts.call, "image.draw", planar, "line", [0, 0, 1, 1], {})[0] == "ValueError"
    parts.call("image.draw", handle, "rectangle", [[1, 2, 3, 4]], {"thickness": 2})
    assert parts.board.images.get(handle).drawn[0] == ("rectangle", 1, 2, 3, 4, (255, 255, 255, 255), 2, False)


def test_rectangle_covers_exactly_its_pixels(parts):
    handle = _new(parts, px.GRAYSCALE)
    parts.call("image.draw", handle, "rectangle", [10, 20, 5, 4], {"color": [255, 255, 255], "fill": True})
    ys, xs = np.nonzero(parts.board.images.get(handle).pixels)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (10, 14, 20, 23)


def test_text_starts_at_its_corner_is_clipped_and_keeps_its_colour_on_transparent_ground(parts):
    handle = _new(parts, px.ARGB8888, (200, 60))
    image = parts.board.images.get(handle)
    parts.call("image.draw_string", handle, 20, 10, 32, "Hgx", [255, 200, 30, 10], None)
    ys, xs = np.nonzero(image.pixels[:, :, 0])
    assert xs.min() >= 20 and 10 <= ys.min() < 25 and ys.max() < 60
    inked = image.pixels[image.pixels[:, :, 0] > 0][:, 1:]
    assert (inked == (200, 30, 10)).all()
    parts.call("image.draw_string", handle, 190, 50, 32, "over the edge", [255, 1, 1, 1], None)
    parts.call("image.draw_string", handle, -500, -500, 32, "outside", [255, 1, 1, 1], None)


def test_a_missing_font_file_is_an_error(parts):
    handle = _new(parts, px.RGB888)
    error = error_of(parts.call, "image.draw_string", handle, 0, 0, 20, "x", [1, 2, 3], "/sdcard/res/font/no.ttf")
    assert error == ("OSError", 2)


def test_draw_image_scales_and_blends(parts):
    below, above = _new(parts, px.RGB888), _new(parts, px.RGB888, (10, 10))
    parts.call("image.draw", above, "rectangle", [0, 0, 10, 10], {"color": [200, 100, 50], "fill": True})
    parts.call("image.draw_image", below, above, 4, 4, 2.0, 1.0, 256)
    parts.call("image.draw_image", below, above, 40, 4, 1.0, 1.0, 128)
    pixels = parts.board.images.get(below).pixels
    assert pixels[5, 20].tolist() == [200, 100, 50]
    assert not pixels[5, 25].any()
    assert pixels[5, 45].tolist() == pytest.approx([100, 50, 25], abs=2)


def test_a_copied_picture_is_recorded_with_what_it_says(parts):
    below, above = _new(parts, px.ARGB8888), _new(parts, px.ARGB8888, (30, 12))
    parts.call("image.draw", above, "rectangle", [0, 0, 30, 12, [255, 1, 2, 3], 1, True], {})
    parts.call("image.draw", above, "line", [1, 2, 3, 4], {})
    parts.call("image.draw_string", above, 4, 1, 8, "red", [255, 255, 255, 255], None)
    parts.call("image.draw_image", below, above, 20, -5, 1.0, 1.0, 256)
    picture, copied = parts.board.images.get(below), parts.board.images.get(above)
    assert np.array_equal(picture.pixels[0:7, 20:50], copied.pixels[5:12])
    assert not picture.pixels[7:].any() and not picture.pixels[:, :20].any()
    assert [call[:5] for call in picture.drawn] == [
        ("image", 20, -5, 30, 12),
        ("rectangle", 20, -5, 30, 12),
        ("line", 21, -3, 23, -1),
        ("string", 24, -4, 8, "red"),
    ]


def test_released_images_say_so(parts):
    handle = _new(parts, px.RGB888)
    parts.board.handles.drop(handle)
    assert error_of(parts.call, "image.clear", handle) == ("ValueError", "image was released")


def test_copy_from_takes_pixels_and_record(parts):
    source, target = _new(parts, px.RGB565), _new(parts, px.RGB565)
    parts.call("image.draw", target, "line", [0, 0, 5, 5], {})
    parts.call("image.draw", source, "circle", [20, 20, 5], {})
    parts.call("image.copy_from", target, source)
    assert np.array_equal(parts.board.images.get(target).pixels, parts.board.images.get(source).pixels)
    assert [call[0] for call in parts.board.images.get(target).drawn] == ["circle"]
    assert error_of(parts.call, "image.copy_from", target, _new(parts, px.RGB888))[0] == "ValueError"


def test_foreign_letters_take_a_font_of_the_pc_where_the_card_has_none(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(drawing, "_FONT_FOLDERS", (str(tmp_path),))
    (tmp_path / "cjk").mkdir()
    (tmp_path / "cjk" / "wqy-zenhei.ttc").write_bytes(b"")
    monkeypatch.setattr(drawing, "font_of", lambda size, path: asked.append(path) or ImageFont.load_default(size))
    drawing.wide_font.cache_clear()
    target = np.zeros((40, 200, 3), np.uint8)
    for text in ("abc", "长茄子", "größer"):
        drawing.draw_text(target, px.RGB888, 0, 0, 23, text, (255, 255, 255, 255), None)
    drawing.wide_font.cache_clear()
    drawing._text_mask.cache_clear()
    assert asked == [None, *[tmp_path / "cjk" / "wqy-zenhei.ttc"] * 2]


def test_umlauts_are_letters_not_boxes():
    if drawing.wide_font() is None:
        pytest.skip("no font with umlauts on this PC")
    pages = [drawing._text_mask(letter, 32, None) for letter in ("Ä", "ß", "\U0010fffd")]
    assert len({page.tobytes() for page in pages}) == 3
