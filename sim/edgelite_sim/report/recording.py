"""What a report is made of: everything that a run's `Recorder` kept, as plain data that a file can hold."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from edgelite_protocol.errors import EdgeliteError
from edgelite_sim.report.track import Piece

FORMAT = "edgelite simulator recording"
VERSION = 1


class RecordingError(EdgeliteError):
    """A file that is no recording, or one of another version."""


class Outcome(Protocol):
    """What only the one who ran the scenario knows: its names, its invariants' verdicts, its expectations."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def real_s(self) -> float: ...
    @property
    def verdicts(self) -> Sequence[tuple[str, str, bool, str, int | None]]:
        """Of each invariant: name, sentence, whether it held, its first violation, and when that was."""

    @property
    def expectations(self) -> Sequence[tuple[str, bool, str]]:
        """Of each: what was expected, whether it came true, what was found."""


@dataclass(frozen=True, slots=True)
class Verdict:
    name: str
    sentence: str
    passed: bool
    violation: str  # the first one, "" where it held
    time_ms: int | None


@dataclass(frozen=True, slots=True)
class Expectation:
    text: str
    passed: bool
    found: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One thing's states over time. `entries` counts how often each state began."""

    pieces: list[Piece]
    totals_ms: dict[str, int]
    entries: dict[str, int]

    def share(self, state: str) -> float:
        """Of the whole time, 0.0 to 1.0."""
        whole_ms = sum(self.totals_ms.values())
        return self.totals_ms.get(state, 0) / whole_ms if whole_ms else 0.0


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """`curves` have buckets of `Recording.width_ms`, `gauges` of `Recording.gauge_width_ms`."""

    name: str
    lanes: dict[str, Lane]  # "power", "agent", "link", "session"
    workloads: dict[str, Lane]
    curves: dict[str, list[int]]
    gauges: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one time; `count` of the same kind, where there were too many to keep."""

    time_ms: int
    kind: str
    target: str
    detail: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """A desired state: when a person asked for it, and when the hub knew that it is so; None: not within the run."""

    resource: str
    name: str
    wanted_ms: int
    reached_ms: int | None
    replaced_ms: int | None  # another wish for the same object came first


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    description: str
    seed: int
    digest: str
    real_s: float
    span_ms: int
    start_unix_ms: int
    verdicts: list[Verdict]
    expectations: list[Expectation]
    width_ms: int
    gauge_width_ms: int
    nodes: list[NodeRecord]
    hubs: dict[str, Lane]
    marks: list[Mark]
    mark_counts: dict[str, int]
    wishes: list[Wish]
    wishes_not_kept: int = 0
    format: str = field(default=FORMAT)
    version: int = field(default=VERSION)

    @property
    def passed(self) -> bool:
        return all(verdict.passed for verdict in self.verdicts) and all(one.passed for one in self.expectations)

    def save(self, path: Path | str) -> None:
        """As JSON, compressed with gzip. The same recording gives the same bytes."""
        text = json.dumps(self, default=_fields, separators=(",", ":"))
        Path(path).write_bytes(gzip.compress(text.encode(), mtime=0))

    @classmethod
    def load(cls, path: Path | str) -> Recording:
        """Raises RecordingError where the file is something else; OSError where it cannot be read."""
        content = Path(path).read_bytes()
        try:
            found = json.loads(gzip.decompress(content))
        except (OSError, EOFError, ValueError) as error:
            raise RecordingError(f"{path} is no recording of a simulator run: {error}") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise RecordingError(f"{path} is no recording of a simulator run")
        if found["version"] != VERSION:
            raise RecordingError(f"{path} has version {found['version']} of a recording; this edgelite reads {VERSION}")
        try:
            return _recording(found)
        except (KeyError, TypeError, AttributeError) as error:
            raise RecordingError(f"{path} is a damaged recording: {error!r}") from None


def _fields(value: Any) -> dict[str, Any]:
    """Not `asdict`, which copies each curve of a fleet number by number."""
    return {one.name: getattr(value, one.name) for one in fields(value)}


def _recording(found: dict[str, Any]) -> Recording:
    return Recording(
        **{
            **found,
            "verdicts": [Verdict(**one) for one in found["verdicts"]],
            "expectations": [Expectation(**one) for one in found["expectations"]],
            "nodes": [_node(one) for one in found["nodes"]],
            "hubs": _lanes(found["hubs"]),
            "marks": [Mark(**one) for one in found["marks"]],
            "wishes": [Wish(**one) for one in found["wishes"]],
        }
    )


def _node(found: dict[str, Any]) -> NodeRecord:
    return NodeRecord(**{**found, "lanes": _lanes(found["lanes"]), "workloads": _lanes(found["workloads"])})


def _lanes(found: dict[str, Any]) -> dict[str, Lane]:
    return {
        name: Lane(**{**lane, "pieces": [Piece(**piece) for piece in lane["pieces"]]}) for name, lane in found.items()
    }
