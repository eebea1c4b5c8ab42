"""The words that a dead compiler's stderr is boiled down to, and the children's own limits."""

import sys

import pytest

from snaploop_host.compiling.child_process import failure_reason

ABORTED = """WARN: something
Unhandled exception. System.NotSupportedException: Not Supported Onnx op: GridSample
   at Nncase.Importer.OnnxImporter.Visit(NodeProto op)
 ---> System.ArgumentException: Source array was not long enough
   at Foo
"""


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (ABORTED, -6, "Unhandled exception. System.NotSupportedException: Not Supported Onnx op: GridSample"),
        (ABORTED, -6, "---> System.ArgumentException: Source array was not long enough"),
        (ABORTED, -6, "ended by SIGABRT"),
        (
            "Traceback\n  File x\nRuntimeError: Invalid model version\n",
            1,
            "RuntimeError: Invalid model version (exit code 1)",
        ),
        (
            "sh: 1: nncase.simulator.k230.sc: not found\nFailed to run\nRuntimeError: Input/output error",
            1,
            "nncase.simulator.k230.sc",
        ),
        (
            "Process terminated. Assertion Failed\n   at System.Diagnostics.Debug.Fail()\n   at Nncase.Passes.Rewrite()\n",
            -6,
            "Process terminated. Assertion Failed / at Nncase.Passes.Rewrite() (ended by SIGABRT)",
        ),
        ("just this\n", 134, "just this (exit code 134)"),
        ("", -9, "it said nothing (ended by SIGKILL)"),
    ],
)
def test_reason(words, code, expected):
    assert expected in failure_reason(words, code)


def test_packages_import_without_the_heavy_libraries():
    import subprocess

    program = (
        "import snaploop_host.training, snaploop_host.compiling, snaploop_host.compiling.dotnet, snaploop_host.training.job_spec, "
        "snaploop_host.training.job, sys; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'ultralytics', 'nncase', 'onnxruntime', 'cv2')))"
    )
    paths = [path for path in sys.path if path]
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}; {program}"], capture_output=True, timeout=180
    )
    assert ran.returncode == 0, ran.stderr.decode()
