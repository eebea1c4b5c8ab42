"""The card's rules: FAT renames, case, locked files, capacity, power cuts."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from virtual_k230.card import Card
from virtual_k230.hal import HalError


@pytest.fixture
def card(tmp_path: Path) -> Card:
    (tmp_path / "sd").mkdir()
    (tmp_path / "data").mkdir()
    return Card(tmp_path / "sd", tmp_path / "data", sdcard_bytes=1 << 20, data_bytes=1 << 20)


def number_of(error: pytest.ExceptionInfo[HalError]) -> int:
    assert error.value.name == "OSError"
    return int(error.value.error_args[0])


def put(card: Card, path: str, data: bytes) -> None:
    card.create(path)
    card.open_for_writing(path)
    assert card.write(path, 0, memoryview(data)) == len(data)
    card.close(path)


def test_what_is_written_lies_in_the_folder(card: Card, tmp_path: Path) -> None:
    card.mkdir("/data/x")
    put(card, "/data/x/a.bin", b"abc")
    assert (tmp_path / "data/x/a.bin").read_bytes() == b"abc"


def test_rename_onto_a_file_is_refused(card: Card, tmp_path: Path) -> None:
    put(card, "/data/new", b"n")
    put(card, "/data/old", b"o")
    with pytest.raises(HalError) as error:
        card.rename("/data/new", "/data/old")
    assert number_of(error) == errno.EEXIST
    assert (tmp_path / "data/old").read_bytes() == b"o"
    card.remove("/data/old")
    card.rename("/data/new", "/data/old")
    assert (tmp_path / "data/old").read_bytes() == b"n"


def test_names_are_found_in_any_case_and_a_rename_may_change_only_the_case(card: Card, tmp_path: Path) -> None:
    put(card, "/sdcard/Main.PY", b"1")
    assert card.host_path("/sdcard/main.py") == tmp_path / "sd/Main.PY"
    card.rename("/sdcard/main.py", "/sdcard/main.py")
    card.rename("/sdcard/MAIN.py", "/sdcard/mAIN.py")
    assert [path.name for path in (tmp_path / "sd").iterdir()] == ["mAIN.py"]


def test_a_running_script_cannot_be_changed(card: Card) -> None:
    put(card, "/sdcard/main.py", b"1")
    card.locked.add("/sdcard/main.py")
    for action, expected in (
        (lambda: card.open_for_writing("/sdcard/Main.py"), errno.EPERM),
        (lambda: card.truncate("/sdcard/main.py", 0), errno.EPERM),
        (lambda: card.remove("/sdcard/main.py"), errno.EPERM),
        (lambda: card.rename("/sdcard/main.py", "/sdcard/x.py"), errno.EBUSY),
    ):
        with pytest.raises(HalError) as error:
            action()
        assert number_of(error) == expected


def test_a_full_card_takes_what_fits_and_then_refuses(card: Card, tmp_path: Path) -> None:
    card.create("/data/big")
    card.open_for_writing("/data/big")
    assert card.write("/data/big", 0, memoryview(bytes((1 << 20) + 10))) == 1 << 20
    with pytest.raises(HalError) as error:
        card.write("/data/big", 1 << 20, memoryview(b"x"))
    assert number_of(error) == errno.ENOSPC
    assert card.write("/data/big", 0, memoryview(b"over")) == 4  # overwriting needs no room
    with pytest.raises(HalError) as error:
        card.create("/data/more")
    assert number_of(error) == errno.ENOSPC
    card.close("/data/big")
    card.remove("/data/big")
    put(card, "/data/more", b"1")
    assert card.statvfs("/data")[2:4] == [32, 31]


def test_power_goes_at_the_nth_write_and_half_of_it_is_on_the_card(card: Card, tmp_path: Path) -> None:
    cuts: list[int] = []
    card.on_power_cut = lambda: cuts.append(card.n_writes)
    put(card, "/data/a", b"12345678")  # writes 1 (create) and 2
    card.cut_at_write = card.n_writes + 2
    put(card, "/data/b", b"12345678")
    assert cuts == [4]
    assert (tmp_path / "data/b").read_bytes() == b"1234"


def test_a_cut_rename_did_not_happen(card: Card, tmp_path: Path) -> None:
    put(card, "/data/a", b"1")
    card.cut_at_write = card.n_writes + 1
    card.rename("/data/a", "/data/b")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["a"]


def test_paths_outside_the_card_do_not_exist(card: Card) -> None:
    for path in ("/etc/passwd", "/data/../../etc/passwd", "/sdcardx/a"):
        with pytest.raises(FileNotFoundError):
            card.host_path(path)
