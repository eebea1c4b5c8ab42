"""A .NET runtime for nncase: find one on the machine, or lay one out from an installed npm package.

nncase 2.11 is built for .NET 7 and accepts 8-10 with DOTNET_ROLL_FORWARD=Major. Microsoft ships .NET 9 runtime files inside the
self-contained npm package `@azure/mcp-linux-x64` (MIT); `lay_out` copies exactly the runtime's files into the folders
that the host resolver expects. Called by `nncase_environment`, by `make setup` (`python -m snaploop_host.compiling.dotnet`) and by doctor.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import DotnetMissingError

logger = logging.getLogger(__name__)

FRAMEWORK = "Microsoft.NETCore.App"
OLDEST_MAJOR = 7  # nncase 2.11 asks for 7.0.0
NPM_PACKAGE = Path("node_modules/@azure/mcp-linux-x64")
# The publish holds newer copies of these outside the runtime pack; the runtime's own list names them too.
ALSO_RUNTIME = (
    "System.Diagnostics.DiagnosticSource",
    "System.Text.Json",
    "System.Formats.Asn1",
    "System.Threading.Channels",
)
USUAL_PLACES = (
    "/usr/share/dotnet",
    "/usr/lib/dotnet",
    "/usr/local/share/dotnet",
    "/usr/lib64/dotnet",
    "/opt/dotnet",
    "/snap/dotnet-sdk/current",
)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where our own runtime is laid out: `SNAPLOOP_DOTNET`, else `$XDG_CACHE_HOME/snaploop/dotnet`, else `~/.cache/...`."""
    if chosen := environ.get("SNAPLOOP_DOTNET"):
        return Path(chosen)
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "snaploop" / "dotnet"


def runtime_version(root: Path) -> str | None:
    """The newest usable runtime version under a DOTNET_ROOT candidate, or None when nncase could not start from it."""
    if not any((root / "host" / "fxr").glob("*/libhostfxr.so")):
        return None
    versions = []
    for folder in (root / "shared" / FRAMEWORK).glob("*"):
        major = folder.name.split(".")[0]
        if major.isdigit() and int(major) >= OLDEST_MAJOR and (folder / "libcoreclr.so").exists():
            versions.append(folder.name)
    return max(versions, key=_version_key, default=None)


def _version_key(version: str) -> list[int]:
    return [int(part) for part in version.split("-", maxsplit=1)[0].split(".") if part.isdigit()]


def candidates(environ: Mapping[str, str] = os.environ) -> Iterable[Path]:
    """Folders that may be a DOTNET_ROOT, best first: DOTNET_ROOT, `dotnet` on PATH, the usual places, our cache."""
    if root := environ.get("DOTNET_ROOT"):
        yield Path(root)
    if command := shutil.which("dotnet", path=environ.get("PATH")):
        yield Path(command).resolve().parent
    yield from (Path(place) for place in USUAL_PLACES)
    yield Path.home() / ".dotnet"
    yield cache_folder(environ)


def find_runtime(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The first candidate that holds a runtime nncase can use, or None."""
    return next((root for root in candidates(environ) if runtime_version(root)), None)


def find_npm_package(start: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The installed npm package with the runtime files: in `SNAPLOOP_NODE_MODULES`, or upwards from `start` and from this file."""
    if chosen := environ.get("SNAPLOOP_NODE_MODULES"):
        places = [Path(chosen).parent]
    else:
        places = [
            place
            for origin in ((start or Path.cwd()).resolve(), Path(__file__).resolve())
            for place in (origin, *origin.parents)
        ]
    return next((place / NPM_PACKAGE for place in places if (place / NPM_PACKAGE / "libhostfxr.so").exists()), None)


def lay_out(package: Path, target: Path) -> Path:
    """Arrange the package's runtime files as a DOTNET_ROOT at `target`, and return it.

    Files are copied, not linked, so that the cache outlives the npm folder (about 70 MB). The folder appears complete or
    not at all: it is built beside the target and renamed.

    Raises:
        DotnetMissingError: the package lacks its deps.json or a file named in it.
    """
    deps_file = package / "azmcp.deps.json"
    try:
        deps = json.loads(deps_file.read_text())
        target_name = deps["runtimeTarget"]["name"]
        libraries = deps["targets"][target_name]
    except (OSError, ValueError, KeyError) as error:
        raise DotnetMissingError(f"{deps_file} cannot be read ({error}): run `npm ci` again") from error
    pack = next((name for name in libraries if name.startswith(f"runtimepack.{FRAMEWORK}")), None)
    if pack is None:
        raise DotnetMissingError(f"{deps_file} names no .NET runtime: run `npm ci` to get version 0.0.8 of the package")
    version = pack.rpartition("/")[2]
    managed = set(libraries[pack].get("runtime", {}))
    native = set(libraries[pack].get("native", {}))
    managed |= {f"{name}.dll" for name in ALSO_RUNTIME if any(key.startswith(f"{name}/") for key in libraries)}

    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fxr = building / "host" / "fxr" / version
        framework = building / "shared" / FRAMEWORK / version
        fxr.mkdir(parents=True)
        framework.mkdir(parents=True)
        _copy(package / "libhostfxr.so", fxr)
        for name in sorted(managed | native | {"libhostpolicy.so"}):
            _copy(package / name, framework)
        listing = _framework_deps(target_name, version, sorted(managed), sorted(native))
        (framework / f"{FRAMEWORK}.deps.json").write_text(json.dumps(listing, indent=1))
        building.chmod(0o755)
        if runtime_version(target) is None:  # else another process was quicker, and its copy is as good
            shutil.rmtree(target, ignore_errors=True)
            building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    logger.info(".NET %s laid out at %s", version, target)
    return target


def _copy(source: Path, folder: Path) -> None:
    try:
        shutil.copy2(source, folder / source.name)
    except FileNotFoundError as error:
        raise DotnetMissingError(f"{source} is missing: run `npm ci` again") from error


def _framework_deps(target_name: str, version: str, managed: list[str], native: list[str]) -> dict[str, object]:
    """The small deps.json the host policy reads to learn which files the framework consists of."""
    key = f"{FRAMEWORK}/{version}"
    files: dict[str, dict[str, object]] = {
        "runtime": {name: {} for name in managed},
        "native": {name: {} for name in native},
    }
    return {
        "runtimeTarget": {"name": target_name, "signature": ""},
        "compilationOptions": {},
        "targets": {target_name: {key: files}},
        "libraries": {key: {"type": "package", "serviceable": True, "sha512": "", "path": "", "hashPath": ""}},
    }


def ensure_runtime(environ: Mapping[str, str] = os.environ) -> Path:
    """A DOTNET_ROOT for nncase: found, or laid out into our cache from the npm package.

    Raises:
        DotnetMissingError: neither a runtime nor the npm package is on this machine.
    """
    if found := find_runtime(environ):
        return found
    if package := find_npm_package(environ=environ):
        return lay_out(package, cache_folder(environ))
    raise DotnetMissingError(
        "no .NET runtime (7 or newer) for nncase: run `make setup`, or install dotnet-runtime-8.0 and set DOTNET_ROOT to it"
    )


def main(arguments: list[str] | None = None) -> int:
    """`make setup` entry: print the DOTNET_ROOT that will be used; exit 1 with one line where there is none."""
    parser = argparse.ArgumentParser(prog="python -m snaploop_host.compiling.dotnet", description=main.__doc__)
    parser.add_argument(
        "--node-modules", type=Path, help="folder with @azure/mcp-linux-x64 (default: searched upwards from here)"
    )
    chosen = parser.parse_args(arguments)
    environ = dict(os.environ)
    if chosen.node_modules:
        environ["SNAPLOOP_NODE_MODULES"] = str(chosen.node_modules.resolve())
    try:
        root = ensure_runtime(environ)
    except DotnetMissingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{root} ({FRAMEWORK} {runtime_version(root)})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
