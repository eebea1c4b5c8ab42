"""The K230's pin multiplexer: which function each of the 72 pads may have, has now, and how it is driven.

Behind machine.FPIOA and machine.Pin. Facts: the chip's pin table and the vendor driver's defaults and error texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from .hal import HalError

N_PINS = 72
N_GPIO_MAIN = 64  # 64..71 belong to the always-on domain (PMU)

_GROUPS = (
    "BOOT0 BOOT1 CI0 CI1 CI2 CI3 CO0 CO1 CO2 CO3 DI0 DI1 DI2 DI3 DO0 DO1 DO2 DO3 HSYNC0 HSYNC1 "
    "IIC0_SCL IIC0_SDA IIC1_SCL IIC1_SDA IIC2_SCL IIC2_SDA IIC3_SCL IIC3_SDA IIC4_SCL IIC4_SDA "
    "IIS_CLK IIS_D_IN0_PDM_IN3 IIS_D_IN1_PDM_IN2 IIS_D_OUT0_PDM_IN1 IIS_D_OUT1_PDM_IN0 IIS_WS "
    "JTAG_RST JTAG_TCK JTAG_TDI JTAG_TDO JTAG_TMS M_CLK1 M_CLK2 M_CLK3 "
    "MMC1_CLK MMC1_CMD MMC1_D0 MMC1_D1 MMC1_D2 MMC1_D3 "
    "OSPI_CLK OSPI_CS OSPI_D0 OSPI_D1 OSPI_D2 OSPI_D3 OSPI_D4 OSPI_D5 OSPI_D6 OSPI_D7 OSPI_DQS "
    "PDM_IN0 PDM_IN1 PDM_IN2 PDM_IN3 "
    "PULSE_CNTR0 PULSE_CNTR1 PULSE_CNTR2 PULSE_CNTR3 PULSE_CNTR4 PULSE_CNTR5 "
    "PWM0 PWM1 PWM2 PWM3 PWM4 PWM5 "
    "QSPI0_CLK QSPI0_CS0 QSPI0_CS1 QSPI0_CS2 QSPI0_CS3 QSPI0_CS4 QSPI0_D0 QSPI0_D1 QSPI0_D2 QSPI0_D3 "
    "QSPI1_CLK QSPI1_CS0 QSPI1_CS1 QSPI1_CS2 QSPI1_CS3 QSPI1_CS4 QSPI1_D0 QSPI1_D1 QSPI1_D2 QSPI1_D3 "
    "SPI2AXI_CK SPI2AXI_CS SPI2AXI_DI SPI2AXI_DO "
    "UART0_RXD UART0_TXD UART1_CTS UART1_RTS UART1_RXD UART1_TXD UART2_CTS UART2_RTS UART2_RXD UART2_TXD "
    "UART3_CTS UART3_DE UART3_RE UART3_RTS UART3_RXD UART3_TXD UART4_RXD UART4_TXD "
    "PDM_CLK VSYNC0 VSYNC1 CTRL_IN_3D CTRL_O1_3D CTRL_O2_3D "
    "PMU_INT0 PMU_INT1 PMU_INT2 PMU_INT3 PMU_INT4 PMU_INT5 PMU_OUT0 PMU_OUT1"
)
NAMES = (*(f"GPIO{n}" for n in range(N_PINS)), *_GROUPS.split(), *(f"TEST_PIN{n}" for n in range(32)))
"""Function names; a function's number is its place."""

NUMBERS = {name: number for number, name in enumerate(NAMES)}

# The functions of pads 0..63 besides GPIO<n>, in the order of the chip's selector; T<n> stands for TEST_PIN<n>.
_PADS = """
BOOT0 T0|BOOT1 T1|JTAG_TCK PULSE_CNTR0 T2|JTAG_TDI PULSE_CNTR1 UART1_TXD T0|JTAG_TDO PULSE_CNTR2 UART1_RXD T1
JTAG_TMS PULSE_CNTR3 UART2_TXD T2|JTAG_RST PULSE_CNTR4 UART2_RXD T3|PWM2 IIC4_SCL T3 DI0|PWM3 IIC4_SDA T4 DI1
PWM4 UART1_TXD IIC1_SCL DI2|CTRL_IN_3D UART1_RXD IIC1_SDA DI3|CTRL_O1_3D UART2_TXD IIC2_SCL DO0
CTRL_O2_3D UART2_RXD IIC2_SDA DO1|M_CLK1 DO2|OSPI_CS T5 QSPI0_CS0 DO3|OSPI_CLK T6 QSPI0_CLK CO3
OSPI_D0 QSPI1_CS4 QSPI0_D0 CO2|OSPI_D1 QSPI1_CS3 QSPI0_D1 CO1|OSPI_D2 QSPI1_CS2 QSPI0_D2 CO0
OSPI_D3 QSPI1_CS1 QSPI0_D3 T4|OSPI_D4 QSPI1_CS0 PULSE_CNTR0 T5|OSPI_D5 QSPI1_CLK PULSE_CNTR1 T6
OSPI_D6 QSPI1_D0 PULSE_CNTR2 T7|OSPI_D7 QSPI1_D1 PULSE_CNTR3 T8|OSPI_DQS QSPI1_D2 PULSE_CNTR4 T9
PWM5 QSPI1_D3 PULSE_CNTR5 T10|MMC1_CLK T7 PDM_CLK|MMC1_CMD PULSE_CNTR5 PDM_IN0 CI0|MMC1_D0 UART3_TXD PDM_IN1 CI1
MMC1_D1 UART3_RXD CTRL_IN_3D CI2|MMC1_D2 UART3_RTS CTRL_O1_3D CI3|MMC1_D3 UART3_CTS CTRL_O2_3D T11
IIC0_SCL IIS_CLK UART3_TXD T12|IIC0_SDA IIS_WS UART3_RXD T13|IIC1_SCL IIS_D_IN0_PDM_IN3 UART3_RTS
IIC1_SDA IIS_D_OUT0_PDM_IN1 UART3_CTS|IIC3_SCL IIS_D_IN1_PDM_IN2 UART4_TXD|IIC3_SDA IIS_D_OUT1_PDM_IN0 UART4_RXD
UART0_TXD T8 QSPI1_CS0 HSYNC0|UART0_RXD T9 QSPI1_CLK VSYNC0|UART1_TXD IIC1_SCL QSPI1_D0 T18
UART1_RXD IIC1_SDA QSPI1_D1 T19|UART1_RTS PWM0 QSPI1_D2 T20|UART1_CTS PWM1 QSPI1_D3 T21
UART2_TXD IIC3_SCL T10 SPI2AXI_CK|UART2_RXD IIC3_SDA T11 SPI2AXI_CS|UART2_RTS PWM2 IIC4_SCL T22
UART2_CTS PWM3 IIC4_SDA T23|UART4_TXD T12 IIC0_SCL SPI2AXI_DI|UART4_RXD T13 IIC0_SDA SPI2AXI_DO
UART3_TXD IIC2_SCL QSPI0_CS4 T24|UART3_RXD IIC2_SDA QSPI0_CS3 T25|UART3_RTS PWM4 IIC3_SCL T26|UART3_CTS PWM5 IIC3_SDA
QSPI0_CS0 MMC1_CMD PWM0 T27|QSPI0_CLK MMC1_CLK PWM1 T28|QSPI0_D0 MMC1_D0 PWM2 T29|QSPI0_D1 MMC1_D1 PWM3 T30
QSPI0_D2 MMC1_D2 PWM4 T31|QSPI0_D3 MMC1_D3 PWM5|PWM0 IIC0_SCL QSPI0_CS2 HSYNC1|PWM1 IIC0_SDA QSPI0_CS1 VSYNC1
M_CLK2 UART3_DE T14|M_CLK3 UART3_RE T15
"""


def _pad_functions() -> list[tuple[int, ...]]:
    rows = [row.split() for row in _PADS.strip().replace("\n", "|").split("|")]
    table = []
    for pin, row in enumerate(rows):
        names = [f"GPIO{pin}", *(f"TEST_PIN{name[1:]}" if name[0] == "T" else name for name in row)]
        table.append(tuple(NUMBERS[name] for name in names))
    pmu = (*(f"PMU_INT{n}" for n in range(6)), "PMU_OUT0", "PMU_OUT1")
    for pin, name in enumerate(pmu, N_GPIO_MAIN):
        table.append((NUMBERS[f"GPIO{pin}"], NUMBERS[name]))
    return table


PADS = _pad_functions()
"""For each pad the numbers of its functions; the first is GPIO."""

_OUTPUTS = (
    "PWM",
    "_TXD",
    "_RTS",
    "_CLK",
    "_DE",
    "_RE",
    "IIS_WS",
    "M_CLK",
    "HSYNC",
    "VSYNC",
    "JTAG_TDO",
    "CTRL_O",
    "OUT",
)
_BOTH_WAYS = ("IIC", "GPIO", "_D0", "_D1", "_D2", "_D3", "OSPI_D", "MMC1_CMD")


_RESERVED = frozenset({"CI", "CO", "DI", "DO", "TE"})


@dataclass
class Pad:
    """One pad: its function and electrical settings (input/output enable, pulls, drive 0..15, Schmitt trigger)."""

    function: int
    ie: int = 1
    oe: int = 1
    pu: int = 0
    pd: int = 0
    ds: int = 7
    st: int = 1
    msc: int = 1


class Fpioa:
    """All pads of one board."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Every pad is GPIO again."""
        self.pads = [Pad(functions[0]) for functions in PADS]

    def get(self, pin: int) -> Pad:
        """A pad; ValueError in the script when there is none."""
        if not 0 <= pin < N_PINS:
            raise HalError("ValueError", f"invalid pin number {pin}")
        return self.pads[pin]

    def function_of(self, pin: int) -> int:
        """The number of the function that a pad has now."""
        return self.get(pin).function

    def set_function(self, pin: int, function: int, settings: dict[str, int]) -> None:
        """Give a pad a function; another pad that had it goes back to GPIO, as the driver does."""
        pad = self.get(pin)
        self._check_function(function)
        if function not in PADS[pin] and not function < N_PINS:
            raise HalError("RuntimeError", "set pin func failed")
        for other, functions in enumerate(PADS):
            if other != pin and self.pads[other].function == function:
                self.pads[other].function = functions[0]
        pad.function = function
        name = NAMES[function]
        is_output = any(mark in name for mark in _OUTPUTS)
        is_both = any(mark in name for mark in _BOTH_WAYS)
        pad.ie, pad.oe, pad.pu, pad.pd, pad.ds, pad.st = (
            int(not is_output or is_both),
            int(is_output or is_both),
            0,
            0,
            7,
            1,
        )
        for item, value in settings.items():
            setattr(pad, item, value)

    @staticmethod
    def _check_function(function: int) -> None:
        if not 0 <= function < len(NAMES):
            raise HalError("ValueError", f"invalid func {function}")

    def pin_of(self, function: int) -> int | None:
        """The pad that has a function now."""
        self._check_function(function)
        return next((pin for pin, pad in enumerate(self.pads) if pad.function == function), None)

    def help(self, number: int, by_function: bool) -> str:
        """What FPIOA.help() prints: all pads (number -1), one pad, or the pads of one function."""
        if by_function:
            self._check_function(number)
            able = ", ".join(f"PIN{pin}" for pin, functions in enumerate(PADS) if number in functions)
            text = f"function {NAMES[number]} can be set to {able}\r\n"
            now = self.pin_of(number)
            return text if now is None else text + f"current set PIN{now} as {NAMES[number]}\r\n"
        if number == -1:
            lines = [
                "| pin  | cur func   |                can be func                              |",
                "| ---- |------------|---------------------------------------------------------|",
            ]
            for pin, pad in enumerate(self.pads):
                lines.append(f"| {pin:<2}   | {NAMES[pad.function]:<10} | {_all_names(pin):<56}|")
            return "\r\n".join(lines) + "\r\n"
        pad = self.get(number)
        volts = "1.8" if pad.msc else "3.3"
        now_text = (
            f"{NAMES[pad.function]},ie:{pad.ie},oe:{pad.oe},pd:{pad.pd},pu:{pad.pu},msc:0-{volts},ds:{pad.ds},"
            f"st:{pad.st},sl:0,di:0"
        )
        rows = (("pin num ", str(number)), ("current config", now_text), ("can be function", _all_names(number)))
        return "".join(f"|{title:<17}|{value:<60}|\r\n" for title, value in rows)


def _all_names(pin: int) -> str:
    return "/".join("RESV" if NAMES[number][:2] in _RESERVED else NAMES[number] for number in PADS[pin])
