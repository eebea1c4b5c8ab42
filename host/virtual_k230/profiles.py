"""What a firmware generation and a board id decide: version texts, memory, which modules and names exist.

Read by board.py, system.py and hardware.py. Facts: K230 platform notes §0.1 (firmware), §1.1 (runtime), §1.2 (memory),
§1.5 (board ids).
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Firmware:
    """One generation of the firmware.

    Attributes:
        version: as in the banner.
        built: build date in the banner.
        nncase: what nncase_runtime.version() says.
        has_os_replace: `os.replace` exists (only on some builds; here: on the newest).
        has_print_exception: `sys.print_exception` exists (a site reports v1.8-0 without it; the examples of all others call it).
        has_new_network: device list functions and the newer wording of network.
        has_otp: `machine.OTP` exists.
        has_ide_version_2: the IDE may list, read and rename files, and touch the panel.
        has_newest_ai: `mot` and aidemo's YOLO26 decoders exist (C stands for all of v1.6 and later, so C has them).
    """

    version: str
    built: str
    nncase: str
    has_os_replace: bool = False
    has_print_exception: bool = True
    has_new_network: bool = False
    has_otp: bool = False
    has_ide_version_2: bool = False
    has_newest_ai: bool = False

    @property
    def numbers(self) -> tuple[int, int, int]:
        """The version as three numbers, as the IDE asks for it."""
        major, minor, micro = (*(int(part) for part in self.version.lstrip("v").split(".")), 0)[:3]
        return major, minor, micro


FIRMWARE = {
    "A": Firmware("v1.2.2", "2025-02-08", "2.9.0"),
    "B": Firmware("v1.4", "2025-09-09", "2.9.0"),
    "C": Firmware("v1.6", "2026-04-03", "2.9.0", has_newest_ai=True),
    "D": Firmware(
        "v1.8",
        "2026-07-03",
        "2.11.0",
        has_os_replace=True,
        has_print_exception=False,
        has_new_network=True,
        has_otp=True,
        has_ide_version_2=True,
        has_newest_ai=True,
    ),
}


@dataclass(frozen=True)
class MemoryMap:
    """Pools of a board in bytes: all DRAM, RT-Smart (kernel and programs), kernel heap within it, media memory (MMZ)."""

    dram: int
    rtsmart: int
    heap: int
    mmz: int

    @property
    def page(self) -> int:
        """What programs may take: RT-Smart's share without the kernel heap."""
        return self.rtsmart - self.heap


_MEMORY = {
    128: MemoryMap(128 * MIB, 48 * MIB, 10 * MIB, 80 * MIB),
    512: MemoryMap(512 * MIB, 256 * MIB, 32 * MIB, 256 * MIB),
    1024: MemoryMap(1024 * MIB, 512 * MIB, 64 * MIB, 512 * MIB),
    2048: MemoryMap(2048 * MIB, 512 * MIB, 64 * MIB, 1536 * MIB),
}

# Board id -> DRAM in MiB. K230D carries 128 MiB in the package; where the notes name two sizes, the smaller.
_DRAM_MIB = {
    "k230_canmv": 512,
    "k230_canmv_v3p0": 1024,
    "k230_canmv_01studio": 1024,
    "k230_canmv_lckfb": 1024,
    "k230_canmv_yahboom": 1024,
    "k230_canmv_hiwonder": 1024,
    "k230_canmv_dongshanpi": 512,
    "k230_canmv_mrt": 512,
    "k230_canmv_wondermk": 512,
    "k230_canmv_gt6700": 512,
    "k230_canmv_rtt_evb": 512,
    "k230_canmv_rockbase": 512,
    "k230d_canmv_bpi_zero": 128,
    "k230d_canmv_atk_dnk230d": 128,
    "k230d_canmv_junroc_ai_cam": 128,
    "k230d_canmv_lushanpi_lite": 128,
    "k230d_canmv_mini": 128,
    "k230_labplus_1956": 512,
    "k230d_labplus_ai_camera": 128,
    "k230d_labplus_ai_camera_v2": 128,
    "k230_evb": 512,
    "k230d_evb": 128,
}
BOARD_IDS = tuple(_DRAM_MIB)


def check_board_id(board_id: str) -> str:
    """The id itself.

    Raises:
        ValueError: there is no such board; the message lists all.
    """
    if board_id not in _DRAM_MIB:
        raise ValueError(f"board {board_id!r} is not known: use one of {', '.join(BOARD_IDS)}")
    return board_id


def memory_of(board_id: str, dram_mib: int | None = None) -> MemoryMap:
    """The pools of a board.

    Args:
        board_id: one of BOARD_IDS.
        dram_mib: another size than the board's usual one (some boards are sold with 1 and 2 GiB).

    Raises:
        ValueError: no such board, or not a size that boards have.
    """
    size = _DRAM_MIB[check_board_id(board_id)] if dram_mib is None else dram_mib
    if size not in _MEMORY:
        raise ValueError(f"DRAM of {size} MiB: use one of {', '.join(map(str, _MEMORY))}")
    return _MEMORY[size]


_MAKERS = {"01studio": "01Studio", "hiwonder": "HiWonder", "v3p0": "V3P0"}


def arch_text(board_id: str, dram_bytes: int) -> str:
    """What the board answers to the IDE's ARCH_STR: board type, DRAM and an identity of zeros in brackets."""
    maker = board_id.removeprefix("k230d_canmv").removeprefix("k230_canmv").strip("_")
    name = "CanMV K230D" if board_id.startswith("k230d") else "CanMV K230"
    if maker:
        name += " " + _MAKERS.get(maker, maker.upper())
    size = f"{dram_bytes >> 30}G" if dram_bytes >= 1 << 30 else f"{dram_bytes >> 20}M"
    return f" [{name} - {size}:{0:024X}]"
