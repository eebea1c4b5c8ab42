"""What the virtual sensor looks at: a folder of pictures, one picture, a video, or the built-in scene.

`sensor.py` takes frames from here; tests, the control API and the demo choose the picture (`show`, `next`) and ask what
is in it (`truth`). A still picture stays in view until somebody shows another one.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from virtual_k230.scene import TrafficLightScene

logger = logging.getLogger(__name__)

Rgb = NDArray[np.uint8]

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm"})
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".mjpeg"})


class CameraError(Exception):
    """The picture source cannot be used; the message names it and the mend."""


class Camera:
    """Frames with a running number. Subclasses say what picture is in view.

    Attributes:
        index: number of the picture in view.
        count: how many pictures there are; None when they never end.
        frame: number of the newest sensor frame; grows when a channel asks for a frame it has already had.
        version: changes whenever another picture comes into view; `scaled` results of one version are identical.
        fps: sensor frames per second; 0 delivers as fast as they are asked for.
    """

    def __init__(self, name: str, count: int | None, fps: float = 0) -> None:
        self.name = name
        self.count = count
        self.index = 0
        self.frame = 0
        self.version = 0
        self.fps = fps
        self.held: Rgb | None = None
        """A picture that somebody holds in front of the camera until another is shown."""
        self._last_frame_s = 0.0
        self._scaled: dict[tuple[Any, ...], Rgb] = {}
        self._scaled_version = -1
        self._lock = threading.RLock()  # the script's thread and the control API's both look

    def picture(self) -> Rgb:
        """The picture in view, HxWx3 uint8 RGB, not to be written to."""
        raise NotImplementedError

    def truth(self) -> list[dict[str, Any]]:
        """What is really in view: label and x, y, w, h as fractions 0..1; empty where nobody knows."""
        return []

    def show(self, what: int | str | Path) -> None:
        """Bring picture number `what` into view, or the picture file of that path.

        Raises:
            CameraError: no such picture.
        """
        with self._lock:
            self.held = None
            self._show(what)

    def hold(self, picture: Rgb | None) -> None:
        """Bring a picture of the caller's into view: HxWx3 uint8 RGB; None: what the source has again."""
        with self._lock:
            self.held = picture
            self.version += 1

    def _show(self, what: int | str | Path) -> None:
        if isinstance(what, int):
            if what < 0 or (self.count is not None and what >= self.count):
                raise CameraError(f"{self.name} has {self.count} pictures (0 to {(self.count or 1) - 1}), not {what}")
            self._choose(what)
        else:
            self._choose_file(Path(what))
        self.version += 1

    def next(self) -> None:
        """Bring the next picture into view; after the last comes the first."""
        following = self.index + 1
        self.show(following if self.count is None else following % self.count)

    def _choose(self, index: int) -> None:
        self.index = index

    def _choose_file(self, path: Path) -> None:
        raise CameraError(f"{self.name} shows pictures by number, not the file {path}")

    def advance(self) -> None:
        """Wait for the next sensor frame (not at all with fps 0) and number it."""
        if self.fps > 0:
            due_s = self._last_frame_s + 1 / self.fps
            now_s = time.monotonic()
            if now_s < due_s:
                time.sleep(due_s - now_s)
            self._last_frame_s = max(due_s, now_s - 1 / self.fps)
        self.frame += 1

    def scaled(
        self,
        width: int,
        height: int,
        crop: tuple[int, int, int, int] | None = None,
        mirror: tuple[bool, bool] = (False, False),
    ) -> Rgb:
        """The picture in view at width x height px, its aspect squeezed as the sensor does; cached per picture.

        Args:
            width: of the result.
            height: of the result.
            crop: x, y, w, h in pixels of a 1920x1080 field of view; None takes all of it.
            mirror: horizontally, vertically.

        Returns:
            height x width x 3 uint8 RGB, read-only, the same array until another picture comes into view.
        """
        with self._lock:
            if self._scaled_version != self.version:
                self._scaled.clear()
                self._scaled_version = self.version
            key = (width, height, crop, mirror)
            if key not in self._scaled:
                self._scaled[key] = _scale(
                    (self.picture() if self.held is None else self.held), width, height, crop, mirror
                )
            return self._scaled[key]

    def close(self) -> None:
        """Let go of files."""


class SceneCamera(Camera):
    """The built-in scene, picture by picture."""

    def __init__(self, scene: TrafficLightScene, fps: float = 0) -> None:
        super().__init__(scene.name, None, fps)
        self.scene = scene

    def picture(self) -> Rgb:
        """The picture in view."""
        with self._lock:
            return self.scene.render(self.index)[0]

    def truth(self) -> list[dict[str, Any]]:
        """What the scene put there."""
        with self._lock:
            return [box.as_json() for box in self.scene.render(self.index)[1]]


class PictureCamera(Camera):
    """Picture files in a fixed order; a file that cannot be read is said once in the log and skipped."""

    def __init__(self, name: str, paths: list[Path], fps: float = 0) -> None:
        super().__init__(name, len(paths), fps)
        self.paths = paths
        self._path = paths[0]
        self._loaded: tuple[Path, Rgb] | None = None
        self._unreadable: set[Path] = set()

    @property
    def path(self) -> Path:
        """The file in view."""
        return self._path

    def _choose(self, index: int) -> None:
        self.index = index
        self._path = self.paths[index]

    def _choose_file(self, path: Path) -> None:
        for index, known in enumerate(self.paths):
            if known == path or known.name == str(path):
                self._choose(index)
                return
        if _read_picture(path) is None:
            raise CameraError(f"cannot read the picture {path}; give a JPEG or PNG file that opens in a viewer")
        self._path = path

    def picture(self) -> Rgb:
        """The picture in view, or the next that can be read.

        Raises:
            CameraError: none of them can.
        """
        for _ in range(len(self.paths) + 1):
            if self._loaded is not None and self._loaded[0] == self._path:
                return self._loaded[1]
            picture = _read_picture(self._path)
            if picture is not None:
                picture.setflags(write=False)
                self._loaded = (self._path, picture)
                return picture
            if self._path not in self._unreadable:
                self._unreadable.add(self._path)
                logger.warning("camera: skipping %s, it is not a readable picture; replace or remove it", self._path)
            self._choose((self.index + 1) % len(self.paths))
        raise CameraError(
            f"none of the {len(self.paths)} pictures of {self.name} can be read; put good JPEG files there"
        )


class VideoCamera(Camera):
    """A video file; every sensor frame is the next frame of the film, which starts again at its end."""

    def __init__(self, path: Path, fps: float = 0) -> None:
        capture = cv2.VideoCapture(str(path))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        is_ok, first = capture.read() if capture.isOpened() else (False, None)
        if not is_ok or first is None:
            capture.release()
            raise CameraError(f"cannot read the video {path}; convert it to MP4/H.264 or give a folder of pictures")
        super().__init__(str(path), max(count, 1), fps)
        self._capture = capture
        self._picture: Rgb = np.ascontiguousarray(first[:, :, ::-1])

    def picture(self) -> Rgb:
        """The picture in view."""
        return self._picture

    def advance(self) -> None:
        """The next sensor frame, which is the next frame of the film."""
        super().advance()
        if self.frame > 1:
            with self._lock:
                self._read(self.index + 1)
                self.version += 1

    def _choose(self, index: int) -> None:
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        self._read(index)

    def _read(self, index: int) -> None:
        is_ok, frame = self._capture.read()
        if not is_ok:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            is_ok, frame = self._capture.read()
            index = 0
        if is_ok and frame is not None:
            self._picture = np.ascontiguousarray(frame[:, :, ::-1])
            self.index = index

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def open_camera(source: str | Path | Camera, seed: int = 0, fps: float = 0) -> Camera:
    """The camera that a user named.

    Args:
        source: "scene:traffic_lights" (or "scene:traffic_lights:SEED"), a folder of pictures (shown in name order), a
            picture, a video, or a camera object of one's own.
        seed: world of the built-in scene when the name does not carry one.
        fps: sensor frames per second, 0 for as fast as asked.

    Raises:
        CameraError: nothing there to look at; the message says what to give instead.
    """
    if isinstance(source, Camera):
        return source
    text = str(source)
    if text.startswith("scene:"):
        kind, _, own_seed = text[len("scene:") :].partition(":")
        if kind != "traffic_lights":
            raise CameraError(f"there is no built-in scene {kind!r}; use scene:traffic_lights or a folder of pictures")
        if own_seed and not own_seed.isdecimal():
            raise CameraError(f"{text}: the scene's world {own_seed!r} is no number; use one such as scene:{kind}:7")
        return SceneCamera(TrafficLightScene(int(own_seed) if own_seed else seed), fps)
    path = Path(text).expanduser()
    if path.is_dir():
        paths = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
        if not paths:
            raise CameraError(f"the camera folder {path} has no pictures; put .jpg or .png files there")
        return PictureCamera(str(path), paths, fps)
    if not path.exists():
        raise CameraError(
            f"the camera source {path} does not exist; give a folder, a picture, a video or scene:traffic_lights"
        )
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoCamera(path, fps)
    if _read_picture(path) is None:
        raise CameraError(f"cannot read the picture {path}; give a JPEG or PNG file that opens in a viewer")
    return PictureCamera(str(path), [path], fps)


def _read_picture(path: Path) -> Rgb | None:
    """HxWx3 uint8 RGB with the camera's turn (EXIF) undone, or None for a missing, cut or other file."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    # OpenCV decodes a JPEG that was cut off and fills up with grey; its end marker tells.
    if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-4096:]:
        return None
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    return None if bgr is None else np.ascontiguousarray(bgr[:, :, ::-1])


def _scale(
    picture: Rgb, width: int, height: int, crop: tuple[int, int, int, int] | None, mirror: tuple[bool, bool]
) -> Rgb:
    """Crop, squeeze to width x height, mirror."""
    if crop is not None:
        full_h, full_w = picture.shape[:2]
        x, y, w, h = crop
        left, top = round(x * full_w / 1920), round(y * full_h / 1080)
        right, bottom = round((x + w) * full_w / 1920), round((y + h) * full_h / 1080)
        picture = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    if picture.shape[:2] != (height, width):
        shrinks = picture.shape[0] >= height and picture.shape[1] >= width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=how), dtype=np.uint8)
    if mirror[0]:
        picture = picture[:, ::-1]
    if mirror[1]:
        picture = picture[::-1]
    scaled = np.ascontiguousarray(picture)
    scaled.setflags(write=False)
    return scaled
