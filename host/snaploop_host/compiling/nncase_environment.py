"""The environment of every process that imports nncase, built in one place.

Called by `child_process` (compile and simulate), by doctor, and by whoever else starts nncase. Facts: measured with nncase 2.11.0.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from .dotnet import ensure_runtime
from .errors import NncaseMissingError

SIMULATOR_EXECUTABLE = "nncase.simulator.k230.sc"  # nncase's runtime starts it through `sh -c`, so it must be on PATH
INSTALL_HINT = "install the training extra: pip install 'snaploop[train]'"


def nncase_version() -> str:
    """The installed nncase version, without importing nncase.

    Raises:
        NncaseMissingError: nncase or nncase-kpu is not installed.
    """
    try:
        importlib.metadata.version("nncase-kpu")
        return importlib.metadata.version("nncase")
    except importlib.metadata.PackageNotFoundError as error:
        raise NncaseMissingError(f"{error.name} is not installed: {INSTALL_HINT}") from error


def site_packages() -> Path:
    """The folder that holds the nncase package, found without importing it.

    Raises:
        NncaseMissingError: nncase is not installed.
    """
    spec = importlib.util.find_spec("nncase")
    if spec is None or spec.origin is None:
        raise NncaseMissingError(f"nncase is not installed: {INSTALL_HINT}")
    return Path(spec.origin).parents[1]


def nncase_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables for a child process that imports nncase, on top of `environ`.

    The caller adds a TMPDIR of the child's own (every compile leaves files there) and starts it in a folder of its own.

    Raises:
        DotnetMissingError, NncaseMissingError: with the mend.
    """
    packages = site_packages()
    simulator = packages / SIMULATOR_EXECUTABLE
    if not simulator.exists():
        raise NncaseMissingError(f"{simulator} is missing: reinstall nncase-kpu")
    if not os.access(simulator, os.X_OK):  # pip leaves it without the x bit under some umasks
        simulator.chmod(simulator.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    own_source = Path(__file__).resolve().parents[2]
    return {
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # a tenth less time in the simulator, which fills 100 MB per call into the KPU
        **environ,
        "DOTNET_ROOT": str(ensure_runtime(environ)),
        "DOTNET_ROLL_FORWARD": "Major",
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",  # no ICU needed
        "DOTNET_CLI_TELEMETRY_OPTOUT": "1",
        "NNCASE_PLUGIN_PATH": str(packages / "nncase" / "modules" / "kpu"),
        "PATH": os.pathsep.join([str(packages), environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(own_source), environ.get("PYTHONPATH", "")])),
    }
