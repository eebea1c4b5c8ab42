"""Ultralytics must leave the process that imports it as it was."""

import importlib.util
import io

import pytest
from PIL import Image, UnidentifiedImageError

from snaploop_host.training.ultralytics_runtime import isolate_ultralytics


@pytest.mark.skipif(
    importlib.util.find_spec("ultralytics") is None,
    reason="ultralytics is not installed: pip install 'snaploop[train]'",
)
def test_a_broken_picture_is_pillows_error_and_no_search_for_a_plugin(tmp_path):
    isolate_ultralytics(tmp_path)
    assert Image.open.__module__ == "PIL.Image"
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"no picture"))
