"""A simulated GPS receiver: NMEA 0183, three sentences at each fix."""

from __future__ import annotations

import math
import time

from edgelite_sim.devices.instrument import Instrument, xor

KMH_OF_KNOT = 1.852
DECLINATION = 3.1  # degrees west


class Gps(Instrument):
    """A fix each `period_s`; without one, its fields are empty."""

    def __init__(self, period_s: float = 1.0) -> None:
        super().__init__()
        self.period_s = period_s
        self.latitude, self.longitude = 48.117300, 11.516667
        self.altitude = 545.4
        self.satellites: float = 8
        self.speed_kmh = 22.4 * KMH_OF_KNOT
        self.course = 84.4
        self.has_fix: float = True
        self.is_damaged = False  # every checksum is wrong
        self.count = 0

    def sentence(self, text: str) -> bytes:
        data = text.encode()
        return b"$%s*%02X\r\n" % (data, xor(data) ^ (1 if self.is_damaged else 0))

    def place(self) -> str:
        if not self.has_fix:
            return ",,,"
        return ",".join((*_degrees(self.latitude, 2, "NS"), *_degrees(self.longitude, 3, "EW")))

    def readings(self) -> dict[str, object]:
        if not self.has_fix:
            return {"valid": False}
        return {
            "latitude": round(self.latitude, 6),
            "longitude": round(self.longitude, 6),
            "altitude": round(self.altitude, 1),
            "satellites": round(self.satellites),
            "valid": True,
            "speed": round(self.speed_kmh, 1),
        }

    def tick(self) -> None:
        self.count += 1
        self.refresh()
        moment = time.gmtime((self.clock.unix_ms + self.now_ms) // 1000)
        now = time.strftime("%H%M%S.00", moment)
        date = time.strftime("%d%m%y", moment)
        if self.has_fix:
            rest = f"1,{round(self.satellites):02d},0.9,{self.altitude:.1f},M,46.9,M,,"
        else:
            rest = "0,00,99.9,,,,,,"
        knots = self.speed_kmh / KMH_OF_KNOT
        status, speed = ("A", f"{knots:05.1f},{self.course:05.1f}") if self.has_fix else ("V", ",")
        magnetic = (self.course - DECLINATION) % 360
        course = f"{self.course:05.1f},T,{magnetic:05.1f},M,{knots:05.1f},N,{self.speed_kmh:05.1f},K"
        self.say_reading(
            self.sentence(f"GPGGA,{now},{self.place()},{rest}"),
            self.sentence(f"GPRMC,{now},{status},{self.place()},{speed},{date},{DECLINATION:05.1f},W"),
            self.sentence(f"GPVTG,{course if self.has_fix else ',T,,M,,N,,K'}"),
        )


def _degrees(value: float, digits: int, letters: str) -> tuple[str, str]:
    """In degrees and minutes, the minutes to four places; 59.99996 minutes are the next degree."""
    ten_thousandths = round(abs(value) * 600_000)
    whole, rest = divmod(ten_thousandths, 600_000)
    return f"{whole:0{digits}d}{rest / 10_000:07.4f}", letters[0 if math.copysign(1, value) >= 0 else 1]
