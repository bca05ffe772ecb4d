"""What a simulated process does, as its command says it, so that a scenario's Pod can hold it.

    sim runs                                 stays until it is asked to end; so does any command but `sim`
    sim exits --after 30s --code 1           ends by itself
    sim crashes --every 10m --signal 11      the same, by a signal
    sim loops                                eats all the CPU that there is
    sim forks --children 50                  has children, which end with it
    sim ignores-sigterm                      ends only when it is killed
    sim ends-slowly --after 4s               asked to end it takes so long, and ends with code 0
    sim eats --memory 64MiB                  the first to be killed where memory runs out
    sim starts-slowly --after 3s             is there only then
    sim says --every 1m                      writes a line to its log
    sim missing                              there is no such program

Options of one may stand with another where they make sense: `sim forks --children 9 --memory 64MiB --after 1h`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgelite_protocol.errors import MisuseError

SIGNAL_SEGV = 11
CHILDREN_MAX = 1000  # more than any cgroup's pids.max that a Pod would get
MEMORY_BYTES = 8 * 1024 * 1024  # of a small process that does nothing
TERM_MS = 20  # from SIGTERM to the end, of what does not mind
_DURATIONS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZES_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "B": 1}


class BehaviourError(MisuseError):
    """No behaviour: the text says what is wrong and what there is."""


@dataclass(frozen=True)
class Behaviour:
    name: str = "runs"
    exists: bool = True
    start_ms: int = 0  # until it is there, beside what any process takes
    end_after_ms: int | None = None  # by itself
    exit_code: int = 0
    signal: int = 0  # that it ends itself by
    heeds_term: bool = True
    term_ms: int = TERM_MS
    handles_term: bool = False  # ends with code 0 then, and not by the signal
    children: int = 0
    memory_bytes: int = MEMORY_BYTES
    is_busy: bool = False
    says_every_ms: int | None = None


RUNS = Behaviour()

# Name: what it is, the options it needs, the options that mean something else than usual
_NAMES: dict[str, tuple[Behaviour, tuple[str, ...]]] = {
    "runs": (RUNS, ()),
    "exits": (Behaviour("exits", end_after_ms=0), ()),
    "crashes": (Behaviour("crashes", end_after_ms=0, signal=SIGNAL_SEGV), ()),
    "loops": (Behaviour("loops", is_busy=True), ()),
    "forks": (Behaviour("forks", children=10), ()),
    "ignores-sigterm": (Behaviour("ignores-sigterm", heeds_term=False), ()),
    "ends-slowly": (Behaviour("ends-slowly", handles_term=True, term_ms=4000), ()),
    "eats": (Behaviour("eats", memory_bytes=64 << 20), ("--memory",)),
    "starts-slowly": (Behaviour("starts-slowly", start_ms=3000), ()),
    "says": (Behaviour("says", says_every_ms=60_000), ()),
    "missing": (Behaviour("missing", exists=False), ()),
}
NAMES = tuple(_NAMES)


def parse(words: Sequence[str]) -> Behaviour:
    """The behaviour of a command. BehaviourError where it begins with `sim` and goes on with what is none."""
    if not words or words[0] != "sim":
        return RUNS
    return parse_own(words[1:])


def parse_own(words: Sequence[str]) -> Behaviour:
    """The same without the word `sim`: as a scenario's fault names it."""
    name = words[0] if words else ""
    if name not in _NAMES:
        raise BehaviourError('a simulated process knows no "%s"; it knows %s' % (name, ", ".join(NAMES)))
    behaviour, needed = _NAMES[name]
    options = _options(name, words[1:])
    for option in needed:
        if option not in options:
            raise BehaviourError("sim %s needs %s" % (name, option))
    for option, text in options.items():
        behaviour = _OPTIONS[option](behaviour, option, text)
    return behaviour


def _options(name: str, words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for index in range(0, len(words), 2):
        if words[index] not in _OPTIONS:
            raise BehaviourError("sim %s: no option %s; there are %s" % (name, words[index], ", ".join(_OPTIONS)))
        if index + 1 == len(words):
            raise BehaviourError("sim %s: %s needs a value" % (name, words[index]))
        options[words[index]] = words[index + 1]
    return options


def _after(behaviour: Behaviour, option: str, text: str) -> Behaviour:
    duration_ms = duration(option, text)
    if behaviour.name == "starts-slowly":
        return replace(behaviour, start_ms=duration_ms)
    if behaviour.name == "ends-slowly":
        return replace(behaviour, term_ms=duration_ms)
    return replace(behaviour, end_after_ms=duration_ms)


def _every(behaviour: Behaviour, option: str, text: str) -> Behaviour:
    duration_ms = max(duration(option, text), 1)
    if behaviour.name == "says":
        return replace(behaviour, says_every_ms=duration_ms)
    return replace(behaviour, end_after_ms=duration_ms)


def _code(behaviour: Behaviour, option: str, text: str) -> Behaviour:
    return replace(behaviour, exit_code=number(option, text, 0, 255), signal=0)


def _signal(behaviour: Behaviour, option: str, text: str) -> Behaviour:
    return replace(behaviour, signal=number(option, text, 1, 31))


def _children(behaviour: Behaviour, option: str, text: str) -> Behaviour:
    return replace(behaviour, children=number(option, text, 0, CHILDREN_MAX))


def _memory(behaviour: Behaviour, option: str, text: str) -> Behaviour:
    return replace(behaviour, memory_bytes=size(option, text))


_OPTIONS: dict[str, Callable[[Behaviour, str, str], Behaviour]] = {
    "--after": _after,
    "--every": _every,
    "--code": _code,
    "--signal": _signal,
    "--children": _children,
    "--memory": _memory,
}


def number(option: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise BehaviourError('%s "%s": give a number from %d to %d' % (option, text, least, most))
    return int(text)


def duration(option: str, text: str) -> int:
    """Milliseconds of "500ms", "30s", "10m", "2h", "1d"."""
    return _with_unit(option, text, _DURATIONS_MS, "a duration such as 30s")


def size(option: str, text: str) -> int:
    """Bytes of "64MiB"."""
    return _with_unit(option, text, _SIZES_BYTES, "a size such as 64MiB")


def _with_unit(option: str, text: str, units: dict[str, int], what: str) -> int:
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = units.get(text[len(digits) :])
    if unit is None or not (digits.isascii() and digits.isdigit()):
        raise BehaviourError('%s "%s": give %s, in %s' % (option, text, what, ", ".join(units)))
    return int(digits) * unit
