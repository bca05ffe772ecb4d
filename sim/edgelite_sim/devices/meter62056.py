"""A simulated electricity meter with an optical head: IEC 62056-21, mode C, data readout."""

from __future__ import annotations

from edgelite_sim.devices.instrument import BAUD_UNKNOWN, Instrument, xor
from edgelite_sim.devices.values import Value

SIGN_ON_BAUD = 300
BAUD_CODES = {300: "0", 600: "1", 1200: "2", 2400: "3", 4800: "4", 9600: "5", 19200: "6"}  # 6.3.2
PATIENCE_MS = 2000
LOOK_MS = 20  # between two looks at the line's baud rate


class Row:
    """One value of the readout: `1.8.0(001234.500*kWh)`; or a text that never changes."""

    def __init__(
        self, obis: str, value: Value | None = None, unit: str = "", decimals: int = 3, digits: int = 6, text: str = ""
    ) -> None:
        self.obis = obis
        self.name = obis
        self.value = value
        self.unit = unit
        self.text = text
        self.reading = 0.0
        self._decimals = decimals
        self._width = digits + (1 + decimals if decimals else 0)

    def said(self) -> str:
        text = self.text if self.value is None else f"{self.reading:0{self._width}.{self._decimals}f}"
        return f"{self.obis}({text}{'*' + self.unit if self.unit else ''})"

    def rounded(self) -> object:
        return self.text if self.value is None else round(self.reading, self._decimals)


class Meter(Instrument):
    """Signs on at 300 baud, sends its data at `baud_rate`. `bauds` are those at which it was spoken to."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = "EDL"
        self.model = "SIMULATED-1"
        self.baud_rate = 9600
        self.energy_kwh: float | None = 1234.5  # of the first row with a value; None: it has its own
        self.rows = _usual_rows()
        self.bauds: list[int] = []
        self.readouts = 0
        self._sends_until_ms: int | None = None

    def readings(self) -> dict[str, object]:
        return {row.name: row.rounded() for row in self.rows}

    def refresh(self, reads: int | None = None) -> None:
        super().refresh(reads)
        energy = self.energy_kwh
        for row in self.rows:
            if row.value is not None:
                row.reading = self.read(row.value, row.reading, reads) if energy is None else energy
                energy = None

    def line(self, text: bytes) -> None:
        baud = self._noted_baud()
        text = text.lstrip(b"\0")  # what wakes up a battery's optical head
        if baud not in (SIGN_ON_BAUD, BAUD_UNKNOWN):
            return
        code = BAUD_CODES[self.baud_rate].encode()
        if text.startswith(b"/?") and text.endswith(b"!"):
            self.write(b"/%s%s%s\r\n" % (self.maker.encode(), code, self.model.encode()))
        elif text == b"\x060%s0" % code:
            self._sends_until_ms = self.now_ms + PATIENCE_MS

    def begin(self, now_ms: int) -> None:
        super().begin(now_ms)
        self._sends_until_ms = None

    def step(self, now_ms: int) -> int | None:
        """The data goes out once the other end has the baud rate that was agreed on."""
        self.now_ms = now_ms
        if self._sends_until_ms is None:
            return None
        if now_ms >= self._sends_until_ms:
            self._sends_until_ms = None
            return None
        if self.baud() not in (self.baud_rate, BAUD_UNKNOWN):
            return now_ms + LOOK_MS
        self._sends_until_ms = None
        self._noted_baud()
        self.tick()
        return None

    def tick(self) -> None:
        self.refresh()
        self.readouts += 1
        data = ("".join(row.said() + "\r\n" for row in self.rows) + "!\r\n").encode() + b"\x03"
        self.say_reading(b"\x02" + data + bytes([xor(data)]))

    def _noted_baud(self) -> int:
        baud = self.baud()
        self.bauds = [*self.bauds[-999:], baud]
        return baud


def _usual_rows() -> list[Row]:
    return [
        Row("F.F", text="00000000"),
        Row("0.0.0", text="12345678"),
        Row("1-0:1.8.0*255", Value(1234.5), "kWh"),
        Row("1-0:1.8.0*01", Value(1000.0), "kWh"),
        Row("2.8.0", Value(17.25), "kWh"),
        Row("32.7.0", Value(229.8), "V", decimals=1, digits=3),
        Row("0-1:24.2.1", text="211121120000W)(00042.125*m3"),
    ]
