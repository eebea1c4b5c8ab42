"""Board ids, firmware generations and memory maps."""

from __future__ import annotations

import pytest

from virtual_k230 import VirtualK230
from virtual_k230.profiles import BOARD_IDS, FIRMWARE, MIB, check_board_id, memory_of


def test_every_board_has_memory_and_k230d_has_128_mib() -> None:
    for board_id in BOARD_IDS:
        pools = memory_of(board_id)
        assert pools.rtsmart + pools.mmz <= pools.dram
        assert (pools.dram == 128 * MIB) == board_id.startswith("k230d_")


def test_some_boards_are_sold_with_more() -> None:
    assert memory_of("k230_canmv_01studio", 2048).mmz == 1536 * MIB
    with pytest.raises(ValueError, match="DRAM of 300 MiB: use one of 128, 512, 1024, 2048"):
        memory_of("k230_canmv", 300)


def test_an_unknown_board_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="board 'k210' is not known: use one of k230_canmv, k230_canmv_v3p0"):
        check_board_id("k210")
    with pytest.raises(ValueError, match="is not known"):
        VirtualK230(board_id="k210")


def test_nncase_follows_the_firmware() -> None:
    assert [FIRMWARE[letter].nncase for letter in "ABCD"] == ["2.9.0", "2.9.0", "2.9.0", "2.11.0"]
