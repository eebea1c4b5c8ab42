"""A model as a folder and a zip for boards with or without the snaploop app: kmodel, config, scripts that run unedited, pictures.

<name>/README.md
<name>/<role>_image_1_2_2.py …      any firmware, no libs needed: everything in one file
<name>/<role>_image_1_3.py …        firmware 1.3 and newer, by the firmware's own task classes
<name>/mp_deployment_source/        kmodel, deploy_config.json, dict.txt (text), images/ (a picture to try)
<name>/<role>_results/              validation pictures with what is true and what the kmodel found
<name>/snaploop_model/<digest12>/   the same model as the app keeps it
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..domain.datasets import DatasetItem
from ..domain.deploy_config import ROLES, deploy_config
from ..domain.models import Model
from ..domain.scores import CLASSIFY, EMBED, METRIC_TITLES, OCR_RECOGNIZE
from ..errors import ConflictError
from ..ports import Blobs, Jobs, Pictures, Store

FIRST_VERSION, LIBS_VERSION = "1_2_2", "1_3"
SHARED = "snaploop_package.py"  # goes into every script, so that each is one file
LIBRARY_PHOTOS = 3  # of each thing, for a metric-learning package to know it by
SCRIPTS = {FIRST_VERSION: "snaploop_deploy.py", LIBS_VERSION: "snaploop_plattasks.py"}
SURER_OF_TWO = (
    0.5  # two classes have one number; scripts take the threshold for the line between them, any other favours one
)
_NO_VIDEO = (OCR_RECOGNIZE,)  # a line of text must fill the picture


class PackageModel:
    """Write packages of stored models."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        jobs: Jobs,
        pictures: Pictures,
        find: Callable[[str], Model],
        script: Callable[[str], str],
    ) -> None:
        """Wire it up.

        Args:
            store: models and their runs.
            blobs: kmodels, golden inputs, photos.
            jobs: validation pictures.
            pictures: turns a golden input into a picture to try.
            find: the model with a digest (`PublishModel.find`).
            script: the source of a file of firmware_scripts/deploy.
        """
        self._find = find
        self._store = store
        self._blobs = blobs
        self._jobs = jobs
        self._pictures = pictures
        self._script = script

    def write(self, digest: str, out: Path, force: bool = False) -> Path:
        """The zip of a model's package, beside the folder of the same content.

        Args:
            digest: the model's, or its first 12 digits.
            out: folder to write into; made when it is not there.
            force: also a model that was refused at the gate; its README says so.

        Raises:
            NotFoundError: no such model.
            ConflictError: it lost too much at the gate.
        """
        model = self._find(digest)
        if not model.is_gate_passed and not force:
            raise ConflictError(
                f"model {model.short} is not packaged, {model.gate_text}: --force packages it all the same"
            )
        project = self._store.project(model.project_id)
        folder = out / f"{project.name}_{model.short}"
        partial = out / f".{folder.name}.part"
        shutil.rmtree(partial, ignore_errors=True)
        self._fill(model, partial, force)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return _zip(folder)

    def _fill(self, model: Model, folder: Path, force: bool) -> None:
        fields, signed = json.loads(model.manifest), model.manifest
        if force and not model.is_gate_passed:
            fields["forced"] = True
            signed = json.dumps(fields, separators=(",", ":")).encode()
        role = ROLES[model.task]
        source = folder / "mp_deployment_source"
        (source / "images").mkdir(parents=True)
        kmodel_name = f"{role.name}_{model.short}.kmodel"
        kmodel = self._blobs.path(model.digest).read_bytes()
        (source / kmodel_name).write_bytes(kmodel)
        config = deploy_config(fields, kmodel_name)
        if model.task == CLASSIFY and config["num_classes"] == 2 and not model.is_imported:
            config["confidence_threshold"] = SURER_OF_TWO
        _write_json(source / "deploy_config.json", config)
        if model.task == OCR_RECOGNIZE:
            (source / "dict.txt").write_text("\n".join(fields["labels"]))
        ours = folder / "snaploop_model" / model.short
        ours.mkdir(parents=True)
        (ours / "model.kmodel").write_bytes(kmodel)
        (ours / "manifest.json").write_bytes(signed)
        (ours / "golden.bin").write_bytes(self._blobs.path(model.golden_digest).read_bytes())
        results = folder / f"{role.name}_results"
        results.mkdir()
        for number, picture in enumerate(sorted(self._jobs.artifact(model.run_id, ".").glob("val_*.jpg"))):
            shutil.copyfile(picture, results / f"test_{number}.jpg")
        self._add_picture(model, fields, source / "images")
        if model.task == EMBED:
            self._add_library(model, source / "library")
        for version, name in SCRIPTS.items():
            text = one_file(self._script(name), self._script(SHARED))
            jobs = ("image",) if model.task in _NO_VIDEO else ("image", "video")
            for job in jobs:
                call = f'\n\nif __name__ == "__main__":\n    {job}("{role.name}", kmodel="{kmodel_name}")\n'
                (folder / f"{role.name}_{job}_{version}.py").write_text(text + call)
        (folder / "README.md").write_text(_readme(model, fields, role.name, bool(fields.get("forced"))))

    def _add_picture(self, model: Model, fields: dict[str, Any], folder: Path) -> None:
        """A validation photo, to try the image script on; the golden input for lines of text and imported models."""
        photo = next(iter(self._validation(model)), None)
        if photo is not None and model.task != OCR_RECOGNIZE:
            self._put(photo.photo, folder / "test.jpg")
        elif fields["golden"]["bytes"]:
            golden = self._blobs.path(model.golden_digest).read_bytes()
            (folder / "test.jpg").write_bytes(self._pictures.encode(golden, *fields["input"]))

    def _add_library(self, model: Model, folder: Path) -> None:
        """Some photos of each thing: <thing>_1.jpg, which the scripts name things by."""
        folder.mkdir()
        counts: dict[str, int] = {}
        items = self._validation(model)
        for item in (
            items[1:] + items[:1]
        ):  # the first is the picture to try: where it need not be here, it does not find itself
            for name in {box.class_name for box in item.boxes}:
                word = re.sub(r'[\\/:*?"<>|]', "-", name)
                if item is items[0] and counts.get(word):
                    continue
                counts[word] = counts.get(word, 0) + 1
                if counts[word] <= LIBRARY_PHOTOS:
                    self._put(item.photo, folder / f"{word}_{counts[word]}.jpg")

    def _put(self, photo: str, file: Path) -> None:
        """A photo as a board can read it."""
        file.write_bytes(self._pictures.for_board(self._blobs.path(photo).read_bytes()))

    def _validation(self, model: Model) -> list[DatasetItem]:
        """Validation photos that are still there."""
        run = self._store.run(model.run_id)
        items = self._store.dataset_version(run.dataset_version_id).side("val")
        return [item for item in items if self._blobs.path(item.photo).is_file()]


def one_file(script: str, shared: str) -> str:
    """The script with the module that it imports from, SHARED, written into it behind its docstring."""
    module = SHARED.removesuffix(".py")
    lines, used = script.splitlines(keepends=True), ast.parse(script).body
    statement = next(one for one in used if isinstance(one, ast.ImportFrom) and one.module == module)
    inlined = ast.parse(shared).body
    before = "".join(lines[used[0].end_lineno or 0 : statement.lineno - 1])
    after = "".join(lines[statement.end_lineno or 0 :])
    own = "".join(shared.splitlines(keepends=True)[inlined[0].end_lineno or 0 :])
    return "".join(lines[: used[0].end_lineno]) + own.rstrip() + "\n" + before.rstrip() + "\n" + after


def _zip(folder: Path) -> Path:
    target = folder.with_name(folder.name + ".zip")
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent))
    partial.replace(target)
    return target


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _scores_table(model: Model) -> str:
    if not model.kmodel_scores:
        return f"This model was {model.gate_text}."
    pictures = f"on the same {model.evaluated_images} validation pictures"
    rows = [f"| {pictures} | float | kmodel in Canaan's simulator |", "| --- | --- | --- |"]
    for name in model.metrics:
        of_float = f"{model.float_scores[name]:.3f}" if name in model.float_scores else "imported"
        rows.append(f"| {METRIC_TITLES[name]} | {of_float} | {model.kmodel_scores[name]:.3f} |")
    return "\n".join(rows)


def _readme(model: Model, fields: dict[str, Any], role: str, is_forced: bool) -> str:
    warning = (
        f"\n**This model did not pass the gate: {model.gate_text}. It is offered and packaged because somebody forced it.**\n"
        if is_forced
        else ""
    )
    has_video = model.task not in _NO_VIDEO
    width, height = fields["input"]
    nncase = fields["nncase"]
    if model.task == "ocr_recognize":
        answers = f"characters: `{''.join(fields['labels'])}`"
    else:
        answers = f"classes: {', '.join(fields['labels'][:40]) or 'none (vectors)'}"
    first, libs = (
        " and ".join(f"`{role}_{job}_{version}.py`" for job in (("image", "video") if has_video else ("image",)))
        for version in (FIRST_VERSION, LIBS_VERSION)
    )
    return f"""# {role} model {model.short}
{warning}
Input {width}x{height}, {answers}.
Compiled with nncase {nncase}: the firmware needs the same major and minor version.

{_scores_table(model)}

## On a board without the snaploop app

Copy `mp_deployment_source` and the scripts to the card (`/sdcard`), open a script in the IDE and run it. Nothing needs editing: the
package is found beside the script, the display by asking the board.

- {first}: any firmware from 1.2 on; `image("{role}", "/sdcard/photo.jpg")` looks at another picture.
- {libs}: firmware 1.3 and newer, with the firmware's own classes.

`{role}_results` shows what is true and what the kmodel found on validation pictures: when those are good and the board's are not,
look at threshold (`confidence_threshold` in deploy_config.json), light and distance before training again.

## On a board with the snaploop app

Its host offers the model by itself (`snaploop offer {model.short}` offers it again). `snaploop_model` holds what the board then keeps; the
board takes a model only with the signature that its host gives with the offer, so copying the folder by hand is not enough.
"""
