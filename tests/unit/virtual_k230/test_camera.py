"""Picture sources of the virtual sensor: folders, files, videos, the scene, and what goes wrong with them."""

from __future__ import annotations

import logging
import time

import cv2
import numpy as np
import pytest

from virtual_k230.camera import CameraError, SceneCamera, VideoCamera, open_camera


def _write(path, colour, size=(64, 48)):
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:] = colour[::-1]
    cv2.imwrite(str(path), picture)


def _mean(camera):
    return [round(float(v)) for v in camera.picture().mean(axis=(0, 1))]


def test_a_folder_is_shown_in_name_order_and_wraps_around(tmp_path):
    _write(tmp_path / "b.png", (0, 200, 0))
    _write(tmp_path / "a.png", (200, 0, 0))
    (tmp_path / "notes.txt").write_text("not a picture")
    camera = open_camera(tmp_path)
    assert camera.count == 2
    assert _mean(camera) == [200, 0, 0]
    camera.next()
    assert _mean(camera) == [0, 200, 0]
    camera.next()
    assert (camera.index, _mean(camera)) == (0, [200, 0, 0])


def test_a_corrupt_jpeg_is_said_once_and_skipped(tmp_path, caplog):
    _write(tmp_path / "a.jpg", (10, 20, 30), (640, 480))
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:900])
    _write(tmp_path / "b.png", (0, 200, 0))
    camera = open_camera(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert _mean(camera) == [0, 200, 0]
        camera.show(0)
        assert _mean(camera) == [0, 200, 0]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert "a.jpg" in lines[0] and "replace or remove" in lines[0]


def test_an_empty_folder_names_itself_and_the_mend(tmp_path):
    with pytest.raises(CameraError, match=rf"{tmp_path.name} has no pictures; put \.jpg or \.png files there"):
        open_camera(tmp_path)


def test_a_folder_of_only_broken_pictures_says_so(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8 no")
    with pytest.raises(CameraError, match="none of the 1 pictures"):
        open_camera(tmp_path).picture()


@pytest.mark.parametrize("name", ["missing", "scene:elephants"])
def test_unknown_sources_are_refused_with_a_hint(tmp_path, name):
    source = name if name.startswith("scene") else tmp_path / name
    with pytest.raises(CameraError, match="scene:traffic_lights"):
        open_camera(source)


def test_one_file_and_any_other_file_on_request(tmp_path):
    _write(tmp_path / "one.png", (9, 9, 9))
    _write(tmp_path / "two.png", (70, 80, 90))
    camera = open_camera(tmp_path / "one.png")
    camera.show(str(tmp_path / "two.png"))
    assert _mean(camera) == [70, 80, 90]
    with pytest.raises(CameraError, match="cannot read the picture"):
        camera.show(tmp_path / "three.png")
    with pytest.raises(CameraError, match="has 1 pictures"):
        camera.show(1)


def test_a_video_plays_and_starts_again(tmp_path):
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for grey in (40, 120, 200):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    camera = open_camera(path)
    assert isinstance(camera, VideoCamera)
    seen = []
    for _ in range(4):
        camera.advance()
        seen.append(round(_mean(camera)[0] / 40))
    camera.close()
    assert seen == [1, 3, 5, 1]


def test_a_broken_video_is_refused(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no film")
    with pytest.raises(CameraError, match="cannot read the video"):
        open_camera(tmp_path / "x.mp4")


def test_scaling_squeezes_the_whole_field_of_view_and_is_cached_until_another_picture_comes():
    camera = open_camera("scene:traffic_lights:5")
    assert isinstance(camera, SceneCamera) and camera.scene.seed == 5
    square = camera.scaled(320, 320)
    assert square.shape == (320, 320, 3)
    assert camera.scaled(320, 320) is square
    wide = cv2.resize(camera.scaled(640, 360), (320, 320))
    assert np.abs(wide.astype(int) - square).mean() < 4
    camera.next()
    assert camera.scaled(320, 320) is not square


def test_crop_and_mirror():
    camera = open_camera("scene:traffic_lights")
    full = camera.picture()
    part = camera.scaled(640, 360, (960, 540, 960, 540))
    assert np.array_equal(part, full[360:, 640:])
    assert np.array_equal(camera.scaled(1280, 720, None, (True, True)), full[::-1, ::-1])


def test_fps_paces_frames():
    camera = open_camera("scene:traffic_lights", fps=100)
    camera.advance()
    start = time.monotonic()
    for _ in range(5):
        camera.advance()
    assert time.monotonic() - start > 0.04
    assert camera.frame == 6
