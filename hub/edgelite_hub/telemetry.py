"""Telemetry as the API answers it, and its retention."""

from __future__ import annotations

from dataclasses import dataclass

from edgelite_hub.model.objects import DEVICES, Object, rfc3339_ms
from edgelite_hub.settings import Settings
from edgelite_hub.store.contract import Sample, Transaction
from edgelite_protocol.values import is_finite, to_text

LIMIT_DEFAULT = 1_000
LIMIT_MAX = 10_000  # about 1 MB of JSON

DATED_BY = {0: "hub", 1: "node"}


class InvalidQuery(Exception):
    """`field` names the query parameter, `text` what it must be."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class Query:
    """Times are Unix milliseconds, both ends included. `continue_text` comes from an earlier answer."""

    device: str  # "namespace/name"
    property: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = LIMIT_DEFAULT
    continue_text: str = ""


def answer(transaction: Transaction, query: Query) -> Object | None:
    """A TelemetryList, oldest first. Where more than `limit` match, it holds the newest, and `metadata.continue`
    asks for those before them. None where there is no such Device and nothing is kept of one. InvalidQuery."""
    if not 1 <= query.limit <= LIMIT_MAX:
        raise InvalidQuery("limit", f"must be 1 to {LIMIT_MAX}")
    until_ms, seen = _parse_continue(query)
    if not _is_known(transaction, query.device):
        return None
    found = transaction.samples(query.device, query.property, query.since_ms, until_ms, query.limit + seen + 1)
    found = found[: len(found) - seen] if seen else found  # those of the last millisecond that were answered before
    page = found[-query.limit :]
    metadata: Object = {}
    if len(found) > query.limit:
        metadata["continue"] = _continue_text(page, until_ms, seen)
    return {
        "apiVersion": "edgelite.dev/v1",
        "kind": "TelemetryList",
        "metadata": metadata,
        "items": [_item(sample) for sample in page],
    }


def _is_known(transaction: Transaction, device: str) -> bool:
    """Samples outlive their Device: retention alone lets them go."""
    namespace, _, name = device.partition("/")
    if transaction.get(DEVICES, namespace, name) is not None:
        return True
    return bool(transaction.samples(device, None, None, None, 1))


def trim(transaction: Transaction, settings: Settings, now_ms: int | None) -> int:
    """Let go what is too old or too much; how many samples. None: nobody knows what is old."""
    before_ms = 0 if now_ms is None else now_ms - settings.telemetry_retention_ms
    return transaction.trim_samples(before_ms, settings.telemetry_rows_max)


def _item(sample: Sample) -> Object:
    return {
        "time": rfc3339_ms(sample.time_ms),
        "timeMs": sample.time_ms,
        "property": sample.property,
        "value": _json_value(sample.value),
        "datedBy": DATED_BY[sample.dated_by],
        "node": sample.node,
    }


def _json_value(value: int | float | str | bool | bytes) -> int | float | str | bool:
    """A float with the fewest digits that give it back: what a meter sent as 230.1 in 32 bits is kept in 32 bits and
    read as 230.1. JSON has neither bytes nor NaN: they are text."""
    if isinstance(value, bytes):
        return to_text(value)
    if isinstance(value, float):
        return float(to_text(value)) if is_finite(value) else to_text(value)
    return value


def _parse_continue(query: Query) -> tuple[int | None, int]:
    """(until ms, samples of that millisecond that were answered already)."""
    if not query.continue_text:
        return query.until_ms, 0
    until, dot, seen = query.continue_text.partition(".")
    if not (dot and until.isdecimal() and seen.isdecimal() and int(seen) <= LIMIT_MAX):
        raise InvalidQuery("continue", "must come from an earlier answer")
    return int(until), int(seen)


def _continue_text(page: list[Sample], until_ms: int | None, seen: int) -> str:
    oldest_ms = page[0].time_ms
    count = sum(sample.time_ms == oldest_ms for sample in page)
    return f"{oldest_ms}.{count + (seen if oldest_ms == until_ms else 0)}"
