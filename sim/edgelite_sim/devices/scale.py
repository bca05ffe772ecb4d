"""A simulated weighing scale that speaks in lines."""

from __future__ import annotations

from edgelite_sim.devices.instrument import Instrument


class Scale(Instrument):
    """`ST,GS,+  1.234kg`: stable or not, gross, weight. Asked by "READ"; or by itself, each `period_s`. "TARGET,1.500"
    sets a target weight, and "TARGET?" tells it."""

    def __init__(self, period_s: float | None = None) -> None:
        super().__init__()
        self.period_s = period_s
        self.weight_kg = 1.234
        self.target_kg = 2.0
        self.is_stable: float = True

    def readings(self) -> dict[str, object]:
        return {"weight": round(self.weight_kg, 3), "stable": bool(self.is_stable)}

    def tick(self) -> None:
        self.refresh()
        state = "ST" if self.is_stable else "US"
        sign = "-" if self.weight_kg < 0 else "+"
        self.say_reading(b"%s,GS,%s%7.3fkg\r\n" % (state.encode(), sign.encode(), abs(self.weight_kg)))

    def line(self, text: bytes) -> None:
        command, _, value = text.partition(b",")
        if command == b"READ":
            self.tick()
        elif command == b"TARGET?":
            self.write(b"TG,%.3fkg\r\n" % self.target_kg)
            if self.told is not None:
                self.told({"target": round(self.target_kg, 3)})
        elif command == b"TARGET" and value.replace(b".", b"", 1).isdigit():
            self.target_kg = float(value)
            self.write(b"TG,OK\r\n")
        else:
            self.write(b"??\r\n")
