"""Finding a .NET runtime, and laying one out from a package that looks like the npm one."""

import json

import pytest

from snaploop_host.compiling import dotnet
from snaploop_host.compiling.errors import DotnetMissingError

PACK = "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/9.0.1"


def fake_package(folder, leave_out=()):
    package = folder / "node_modules" / "@azure" / "mcp-linux-x64"
    package.mkdir(parents=True)
    deps = {
        "runtimeTarget": {"name": "T"},
        "targets": {
            "T": {
                PACK: {
                    "runtime": {"System.Private.CoreLib.dll": {}},
                    "native": {"libcoreclr.so": {}, "libhostpolicy.so": {}},
                },
                "System.Text.Json/9.0.4": {"runtime": {"lib/net9.0/System.Text.Json.dll": {}}},
                "Azure.Core/1.0": {"runtime": {"lib/Azure.Core.dll": {}}},
            }
        },
    }
    (package / "azmcp.deps.json").write_text(json.dumps(deps))
    names = (
        "libhostfxr.so libhostpolicy.so libcoreclr.so System.Private.CoreLib.dll System.Text.Json.dll Azure.Core.dll"
    )
    for name in names.split():
        if name not in leave_out:
            (package / name).write_bytes(name.encode())
    return package


def bare(tmp_path, **extra):
    return {"HOME": str(tmp_path), "SNAPLOOP_DOTNET": str(tmp_path / "cache"), "PATH": str(tmp_path), **extra}


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(dotnet, "USUAL_PLACES", ())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_runtime_files_and_nothing_else_are_laid_out(tmp_path):
    root = dotnet.lay_out(fake_package(tmp_path), tmp_path / "cache")
    framework = root / "shared" / "Microsoft.NETCore.App" / "9.0.1"
    assert (root / "host" / "fxr" / "9.0.1" / "libhostfxr.so").exists()
    assert (framework / "System.Text.Json.dll").exists()
    assert not (framework / "Azure.Core.dll").exists()
    assert "libcoreclr.so" in (framework / "Microsoft.NETCore.App.deps.json").read_text()
    assert dotnet.runtime_version(root) == "9.0.1"


def test_half_a_package_leaves_nothing_behind(tmp_path):
    package = fake_package(tmp_path, leave_out=("libcoreclr.so",))
    with pytest.raises(DotnetMissingError, match=r"libcoreclr\.so is missing: run `npm ci`"):
        dotnet.lay_out(package, tmp_path / "deep" / "cache")
    assert list((tmp_path / "deep").iterdir()) == []


def test_ensure_uses_the_package_once_and_the_cache_afterwards(tmp_path):
    package = fake_package(tmp_path)
    environ = bare(tmp_path, SNAPLOOP_NODE_MODULES=str(tmp_path / "node_modules"))
    assert dotnet.ensure_runtime(environ) == tmp_path / "cache"
    for file in package.iterdir():
        file.unlink()
    assert dotnet.ensure_runtime(environ) == tmp_path / "cache"


def test_dotnet_root_wins_and_an_old_or_empty_one_does_not_count(tmp_path):
    good = dotnet.lay_out(fake_package(tmp_path), tmp_path / "mine")
    assert dotnet.find_runtime(bare(tmp_path, DOTNET_ROOT=str(good))) == good
    (good / "shared" / "Microsoft.NETCore.App" / "9.0.1").rename(good / "shared" / "Microsoft.NETCore.App" / "6.0.36")
    assert dotnet.find_runtime(bare(tmp_path, DOTNET_ROOT=str(good))) is None


def test_nothing_anywhere_is_one_line_with_the_mend(tmp_path):
    with pytest.raises(DotnetMissingError) as caught:
        dotnet.ensure_runtime(bare(tmp_path, SNAPLOOP_NODE_MODULES=str(tmp_path / "none")))
    assert "make setup" in str(caught.value)
    assert "\n" not in str(caught.value)
