"""The preview of augmentation: what training really does, drawn, for every task."""

from __future__ import annotations

import importlib.util
import io
import itertools
import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
if importlib.util.find_spec("ultralytics") is None:
    pytest.skip("ultralytics is not installed: pip install 'snaploop[train]'", allow_module_level=True)

from PIL import Image

from fakes.task_jobs import TASKS, write_job
from snaploop_host.training.job_spec import read_job
from snaploop_host.training.preview import CELL_PX, GAP_PX, HEAD_PX, VARIANTS, contact_sheet
from snaploop_host.training.task import Folders, task_named


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}

    def folder(task):
        if task not in made:
            made[task] = write_job(tmp_path_factory.mktemp(task) / "job", task, 5, 2)
        return made[task]

    return folder


def cells(folder, preset):
    """The first row of the sheet: the photo as it is, and as it is changed."""
    raw = json.loads((folder / "job.json").read_text())
    raw["parameters"]["preset"] = preset
    (folder / "job.json").write_text(json.dumps(raw))
    job = read_job(folder / "job.json")
    sheet = contact_sheet(task_named(job.task), job, Folders(folder))
    assert sheet.width == GAP_PX + (VARIANTS + 1) * (CELL_PX + GAP_PX)
    pixels = np.asarray(sheet, np.int16)
    lefts = [GAP_PX + column * (CELL_PX + GAP_PX) for column in range(VARIANTS + 1)]
    return [pixels[HEAD_PX + 24 : HEAD_PX + 64, left : left + CELL_PX] for left in lefts]


@pytest.mark.parametrize("task", TASKS)
def test_none_changes_nothing_and_strong_much(folders, task):
    plain, *same = cells(folders(task), "none")
    assert max(np.abs(plain - one).mean() for one in same) < 8  # how it is resampled
    plain, *others = cells(folders(task), "strong")
    assert min(np.abs(plain - one).mean() for one in others) > 8
    assert all(np.abs(one - other).mean() > 1 for one, other in itertools.pairwise(others))


def test_sheet_is_a_png_that_is_the_same_every_time(folders):
    job = read_job(folders("classify") / "job.json")
    saved = []
    for _ in range(2):
        file = io.BytesIO()
        contact_sheet(task_named("classify"), job, Folders(folders("classify"))).save(file, "PNG")
        saved.append(file.getvalue())
    assert saved[0] == saved[1] and Image.open(io.BytesIO(saved[0])).format == "PNG"
