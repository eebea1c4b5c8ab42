"""Apps that other packages offer for an empty card, and how one comes onto it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from virtual_k230 import apps
from virtual_k230.board import VirtualK230
from virtual_k230.card_api import CardApi
from virtual_k230.http_json import errors_as_json

OFFER = """
def files():
    return {"/sdcard/main.py": b"import blinker.lamp", "/sdcard/blinker/lamp.py": b"ON = 1", "/data/blinker/rate.txt": b"5"}

def nothing_starts():
    return {"/sdcard/other.py": b""}

def broken():
    raise RuntimeError("half of the package is missing")
"""


@pytest.fixture
def offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with three offers."""
    package = tmp_path / "site"
    (package / "blinker-1.0.dist-info").mkdir(parents=True)
    (package / "blinker_offer.py").write_text(OFFER)
    (package / "blinker-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: blinker\nVersion: 1.0\n")
    lines = [f"{name} = blinker_offer:{name}" for name in ("files", "nothing_starts", "broken")]
    (package / "blinker-1.0.dist-info/entry_points.txt").write_text("\n".join([f"[{apps.GROUP}]", *lines]) + "\n")
    monkeypatch.syspath_prepend(str(package))
    return package


def test_offers_of_installed_packages_are_found(offers: Path) -> None:
    assert {"files", "nothing_starts", "broken"} <= set(apps.app_names())
    assert apps.app_files("files")["/sdcard/main.py"] == b"import blinker.lamp"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("snake", r"no app 'snake': there is .*files"),
        ("nothing_starts", r"the app nothing_starts brings no /sdcard/main.py: nothing would start"),
        (
            "broken",
            r"the app broken cannot be had \(half of the package is missing\): install the package blinker_offer",
        ),
    ],
)
def test_what_cannot_be_put_is_said(offers: Path, name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        apps.app_files(name)


def test_without_any_offer_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "entry_points", lambda group: ())
    assert apps.app_names() == []
    with pytest.raises(ValueError, match="no installed package offers any"):
        apps.app_files("snaploop")


async def test_app_comes_onto_an_empty_card_and_never_over_a_main(offers: Path, tmp_path: Path) -> None:
    board = VirtualK230()  # never switched on: its card is what matters
    resets: list[bool] = []
    board.reset = resets.append  # type: ignore[method-assign, assignment]
    app = web.Application(middlewares=[errors_as_json])
    app.add_routes(CardApi(board).routes())
    try:
        async with TestClient(TestServer(app)) as client:
            assert "files" in (await (await client.get("/apps")).json())["apps"]
            answer = await client.post("/apps", json={"name": "files"})
            assert (await answer.json()) == {"app": "files", "files": 3} and resets == [True]
            assert board.host_path("/sdcard/blinker/lamp.py").read_bytes() == b"ON = 1"
            assert board.host_path("/data/blinker/rate.txt").read_bytes() == b"5"
            answer = await client.post("/apps", json={"name": "files"})
            assert answer.status == 400 and "is there already" in (await answer.json())["error"]
            await client.delete("/card/file", params={"path": "/sdcard/main.py"})
            board.faults.set("card.read_only", None)
            answer = await client.post("/apps", json={"name": "files"})
            assert answer.status == 400 and "read-only" in (await answer.json())["error"] and resets == [True]
    finally:
        board.close()
