"""What runs on the board stays inside MicroPython 1.21: walks the syntax trees of shared, device and firmware_scripts."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("shared", "device", "firmware_scripts") for path in (ROOT / folder).rglob("*.py"))

# Modules of the board (k230-platform §1.1) that our code may use, and where hardware ones may appear.
PLAIN_MODULES = {"os", "sys", "gc", "json", "math", "struct", "time", "select", "socket", "binascii", "hashlib"}
C_MODULES = {"ubinascii", "uhashlib"}  # with the plain ones as fallback, in portable.py only
HARDWARE_MODULES = {"machine", "image", "media", "nncase_runtime", "aicube", "network", "_thread"}
ARRAY_MODULES = {"ulab", "numpy"}

MISSING_METHODS = {
    "hexdigest",
    "isoformat",
    "removeprefix",
    "removesuffix",
    "rjust",
    "ljust",
    "zfill",
    "casefold",
    "expandtabs",
    "title",
}
MISSING_OS = {"path", "replace", "walk", "makedirs", "scandir", "environ", "getenv", "fsync"}
MISSING_TIME = {"monotonic", "perf_counter", "strftime"}


def findings(tree: ast.AST, path: Path) -> list[str]:
    """What a tree holds that the board cannot run, as "line: reason"."""
    found = []
    is_board_file = path.name.startswith("k230") and path.parent.name == "board"
    for node in ast.walk(tree):
        reason = _reason(node, path, is_board_file)
        if reason:
            found.append(f"{path.name}:{getattr(node, 'lineno', 0)}: {reason}")
    return found


def _reason(node, path, is_board_file):  # a table of rules reads best as a list of ifs
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return _bad_import(node, path, is_board_file)
    if isinstance(node, ast.Match):
        return "match"
    if isinstance(node, ast.Raise) and node.cause is not None:
        return "raise ... from"
    if isinstance(node, ast.ClassDef) and node.keywords:
        return "class keyword"
    if isinstance(node, ast.arguments) and node.posonlyargs:
        return "positional-only argument"
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)) and isinstance(getattr(node, "ctx", None), ast.Load):
        if any(isinstance(item, ast.Starred) for item in node.elts):
            return "unpacking in a display"
    if isinstance(node, ast.Dict) and None in node.keys:
        return "** in a dict"
    if isinstance(node, ast.Delete) and any(
        isinstance(one, ast.Subscript) and isinstance(one.slice, ast.Slice) for one in node.targets
    ):
        return "del of a slice"
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.BitOr)
        and (isinstance(node.left, ast.Dict) or isinstance(node.right, ast.Dict))
    ):
        return "dict | dict"
    if isinstance(node, (ast.Global, ast.AsyncFunctionDef)):
        return "global or async"
    if isinstance(node, ast.Attribute):
        return _bad_attribute(node)
    if isinstance(node, ast.Call):
        if any(word.arg in ("sort_keys", "strict") for word in node.keywords):
            return f"keyword {[word.arg for word in node.keywords]}"
    if isinstance(node, ast.ExceptHandler):
        if node.type is None:
            return "bare except"
        if len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
            return "except: pass"
    if isinstance(node, ast.Constant) and isinstance(node.value, float) and abs(node.value) > 1e7:
        return f"float {node.value} needs more than 7 digits"
    return None


def _bad_import(node, path, is_board_file):
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    if isinstance(node, ast.ImportFrom):
        if any(alias.name == "*" for alias in node.names):
            return "import *"
        if node.level:
            return None
    for name in names:
        top = name.split(".")[0]
        allowed = PLAIN_MODULES | {"snaploop_shared", "snaploop_device"}
        if path.name == "portable.py":
            allowed = allowed | C_MODULES | {"collections"}  # the latter for annotations, under TYPE_CHECKING
        if path.name in ("inference.py", "outputs.py", "segments.py", "text.py"):
            allowed = allowed | ARRAY_MODULES
        if "demos" in path.parts:  # scripts beside each other on the card, with pins of their own
            allowed = allowed | {"machine", path.parent.name}
        if is_board_file:
            allowed = allowed | HARDWARE_MODULES | {"ulab"}
        if path.parent.name == "deploy":  # one-file scripts for boards without the app; `libs` is the vendor's
            allowed = allowed | HARDWARE_MODULES | {"ulab", "libs", "snaploop_deploy", "snaploop_package"}
        if top not in allowed or name == "os.path":
            return f"import of {name}"
    return None


def _bad_attribute(node):
    if node.attr in MISSING_METHODS:
        return f".{node.attr}"
    if isinstance(node.value, ast.Name):
        if node.value.id == "os" and node.attr in MISSING_OS:
            return f"os.{node.attr}"
        if node.value.id == "time" and node.attr in MISSING_TIME:
            return f"time.{node.attr}"
        if node.value.id == "struct" and node.attr == "Struct":
            return "struct.Struct"
    return None


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_file_stays_in_the_subset(path):
    allowed = {"portable.py": "time.monotonic"}.get(path.name)
    found = [one for one in findings(ast.parse(path.read_text()), path) if not (allowed and allowed in one)]
    assert found == []


def test_there_are_files_to_check():
    assert len(FILES) > 30


@pytest.mark.parametrize(
    "source",
    [
        "import dataclasses",
        "from typing import Any",
        "from __future__ import annotations",
        "import os.path",
        "match x:\n  case 1: pass",
        "try:\n  f()\nexcept OSError as e:\n  raise ValueError() from e",
        "class A(B, metaclass=C): pass",
        "def f(a, /): pass",
        "x = [*a, *b]",
        "x = {**a}",
        "del buf[:4]",
        "h.hexdigest()",
        "os.path.join(a)",
        "json.dumps(a, sort_keys=True)",
        "try:\n  f()\nexcept OSError:\n  pass",
        "try:\n  f()\nexcept:\n  g()",
        "import machine",
        "import numpy",
        "t = 1700000000.5",
    ],
)
def test_the_guard_sees(source):
    assert findings(ast.parse(source), Path("device/some.py"))
