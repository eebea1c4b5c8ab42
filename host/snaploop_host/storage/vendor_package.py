"""A package of the vendor's cloud or tools, or of `snaploop package`, as a folder or a zip. Nothing is unpacked to the disk.

A package is where deploy_config.json lies: the folder mp_deployment_source, anything around it, or a zip of either; also
mp_deployment_source.zip inside (the task folders of the cloud).
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from ..domain.kmodel_file import check_kmodel
from ..domain.vendor_config import VendorModel, vendor_model
from ..errors import BadInputError
from .zip_folder import SafeZip

CONFIG, DICTIONARY, INNER_ZIP = "deploy_config.json", "dict.txt", "mp_deployment_source.zip"
MAX_FILE_BYTES = 512 * 1024 * 1024  # larger than any board's memory
MAX_ENTRIES = 20000
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
MOST_PICTURES = 4
_OTHERS = 3  # named in a message


@dataclass(frozen=True)
class VendorPackage:
    """A package that was read: what its config says, the kmodel's bytes, and pictures to try it on (those without marks first)."""

    name: str
    model: VendorModel
    kmodel: bytes
    pictures: tuple[bytes, ...]


def read_vendor_package(path: Path, task: str | None = None) -> VendorPackage:
    """The package at `path`.

    Args:
        path: folder, zip, or the deploy_config.json itself.
        task: what the model does, where its model_type does not say.

    Raises:
        BadInputError: no package, several, damaged, or of a kind that cannot be imported; in one line, with the mend.
    """
    if path.name == CONFIG and path.is_file():
        path = path.parent
    if path.is_dir():
        return _package(_Folder(path), path.name or str(path), task)
    if not path.is_file():
        raise BadInputError(f"{path} is not there: give the package's zip or folder")
    return _package(_Zip(path.name, path), path.name, task)


class _Files(Protocol):
    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        found = sorted(path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file())
        if len(found) > MAX_ENTRIES:
            raise BadInputError(f"{self._root} holds {len(found)} files: give the package's own folder")
        return found

    def read(self, name: str) -> bytes:
        path = self._root / name
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise BadInputError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB: no K230 board can hold it")
            return path.read_bytes()
        except OSError as error:
            raise BadInputError(f"{path} cannot be read ({error.strerror}): check its permissions") from error


class _Zip(SafeZip):
    def read(self, name: str) -> bytes:
        if self.size(name) > MAX_FILE_BYTES:
            raise BadInputError(
                f"{self.name}: {name} is larger than {MAX_FILE_BYTES >> 20} MiB: no K230 board can hold it"
            )
        return super().read(name)


def _package(files: _Files, name: str, task: str | None) -> VendorPackage:
    names = files.names()
    configs = [one for one in names if PurePosixPath(one).name == CONFIG]
    if not configs:
        inner = [one for one in names if PurePosixPath(one).name == INNER_ZIP]
        if len(inner) == 1:
            return _package(_Zip(f"{name}: {inner[0]}", io.BytesIO(files.read(inner[0]))), f"{name}: {inner[0]}", task)
        raise BadInputError(f"{name} holds no {CONFIG}: give mp_deployment_source, or the zip that it came in")
    if len(configs) > 1:
        places = ", ".join(str(PurePosixPath(one).parent) for one in configs[:_OTHERS])
        raise BadInputError(f"{name} holds {len(configs)} packages ({places}): unpack it and give one of them")
    folder = PurePosixPath(configs[0]).parent
    here = {PurePosixPath(one).name: one for one in names if PurePosixPath(one).parent == folder}
    try:
        config = json.loads(files.read(configs[0]).decode("utf-8-sig"))
    except ValueError as error:
        raise BadInputError(f"{name}: {CONFIG} is not JSON ({error}): take the package as it was downloaded") from error
    model = vendor_model(config, _text(files, here.get(DICTIONARY), name), CONFIG, task)
    kmodels = [one for one in here if one.lower().endswith(".kmodel")]
    if model.kmodel_name not in here:
        raise BadInputError(
            f"{name}: {CONFIG} names {model.kmodel_name}, which is not beside it (kmodels there: "
            f"{', '.join(kmodels[:_OTHERS]) or 'none'}): copy it there, or correct kmodel_path"
        )
    if len(kmodels) > 1:
        raise BadInputError(
            f"{name} holds {len(kmodels)} kmodels ({', '.join(kmodels[:_OTHERS])}): leave the right one only, "
            f"kmodel_path names {model.kmodel_name}"
        )
    kmodel = files.read(here[model.kmodel_name])
    check_kmodel(kmodel, model.kmodel_name)
    pictures = [one for one in names if PurePosixPath(one).suffix.lower() in PICTURES]
    pictures.sort(key=lambda one: ("result" in one, one))
    return VendorPackage(name, model, kmodel, tuple(files.read(one) for one in pictures[:MOST_PICTURES]))


def _text(files: _Files, name: str | None, package: str) -> str | None:
    if name is None:
        return None
    try:
        return files.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{package}: {DICTIONARY} is not UTF-8: save it as UTF-8") from error
