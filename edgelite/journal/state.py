"""The state stream: the key spaces, and the reports of the state lane."""

from edgelite.journal import layout
from edgelite.journal.index import Index
from edgelite.journal.log import Log
from edgelite.journal.outbox import StateLane
from edgelite.journal.reader import Record
from edgelite.storage import StorageFullError
from edgelite_protocol.errors import CorruptionError, MisuseError
from edgelite_protocol.messages import LANE_STATE

SPACE_INTERNAL = 255  # the journal's own facts


class State:
    def __init__(self, log: Log, live_bytes_max: int) -> None:
        self.log = log
        self.index = Index()
        self.lane = StateLane()
        self._live_bytes_max = live_bytes_max

    def live_bytes(self) -> int:
        return self.index.live_bytes + self.lane.size_bytes

    def get(self, space: int, key: str) -> "bytes | None":
        """CorruptionError where the value is there and does not validate any more."""
        place = self.index.get(space, key)
        if place is None:
            return None
        record = self._read(place)
        _, found, start = layout.decode_put(record.payload)
        if record.type != layout.PUT or found != key:
            raise CorruptionError(self.log.name_of(place), "another record than the one of %s" % key)
        return record.payload[start:]

    def report(self, name: "tuple[int, int]") -> bytes:
        place = self.lane.place(name)
        assert place is not None
        record = self._read(place)
        return record.payload[layout.decode_report(record.payload)[3] :]

    def _read(self, place: int) -> Record:
        record = self.log.read(place)
        if record is None:
            raise CorruptionError(self.log.name_of(place), "the record does not validate any more")
        return record

    def check_room(self, records: "list[tuple[int, bytes]]") -> None:
        """StorageFullError where so much state is not to be held."""
        size = sum(
            [layout.record_bytes(len(payload)) for kind, payload in records if kind in (layout.PUT, layout.REPORT)]
        )
        if size and self.live_bytes() + size > self._live_bytes_max:
            raise StorageFullError(
                "the journal holds %d bytes of state; %d more do not fit" % (self.live_bytes(), size),
                "give it a larger size_bytes_max",
            )

    def write(self, records: "list[tuple[int, bytes]]") -> None:
        """Append one atomic unit and apply it. StorageFullError where there is no file for it: then nothing has
        changed."""
        places = self.log.append(records)
        for place, (record_type, payload) in zip(places, records):  # noqa: B905 (MicroPython's zip has no strict)
            self.apply(place, record_type, payload)

    def apply(self, place: int, record_type: int, payload: bytes) -> None:
        if record_type == layout.PUT:
            space, key, _ = layout.decode_put(payload)
            self.index.put(space, key, place)
        elif record_type == layout.DELETE:
            space, key, _ = layout.decode_put(payload)
            self.index.delete(space, key)
        elif record_type == layout.PROMOTE:
            from_space, to_space = layout.decode_promote(payload)
            self.index.promote(from_space, to_space)
        elif record_type == layout.REPORT:
            _, name, key, _ = layout.decode_report(payload)
            self.lane.add(name, key, place)
        elif record_type == layout.ACKNOWLEDGE:
            lane, name = layout.decode_acknowledge(payload)
            if lane == LANE_STATE:
                self.acknowledge(name)
        elif record_type == layout.START:
            self.acknowledge(layout.decode_start(payload).acknowledged)

    def acknowledge(self, name: "tuple[int, int]") -> None:
        if name > self.log.acknowledged:
            self.log.acknowledged = name
            self.lane.acknowledge(name)

    def copy_forward(self, place: int, record: Record) -> None:
        """Compaction: append the record again if it is still the newest of its kind."""
        if record.type == layout.PUT:
            _, key, start = layout.decode_put(record.payload)
            space = self.index.space_of(key, place)
            if space is not None:
                payload = layout.encode_put(space, key, record.payload[start:])
                self.index.put(space, key, self.log.append([(layout.PUT, payload)])[0])
        elif record.type == layout.REPORT:
            _, name, key, _ = layout.decode_report(record.payload)
            if self.lane.place(name) == place:
                self.lane.add(name, key, self.log.append([(layout.REPORT, record.payload)])[0])


def check_changes(changes: "list[tuple[object, ...]]") -> "list[tuple[int, bytes]]":
    """The records of an atomic write; MisuseError names what is wrong with it."""
    return [_check_change(change) for change in changes]


def _check_change(change: "tuple[object, ...]") -> "tuple[int, bytes]":
    kind = change[0] if change else None
    if kind == "put" and len(change) == 4:
        _, space, key, value = change
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise MisuseError("a value must be bytes")
        return layout.PUT, layout.encode_put(_check_space(space), _check_key(key), value)
    if kind == "delete" and len(change) == 3:
        return layout.DELETE, layout.encode_delete(_check_space(change[1]), _check_key(change[2]))
    if kind == "promote" and len(change) == 3:
        return layout.PROMOTE, layout.encode_promote(_check_space(change[1]), _check_space(change[2]))
    raise MisuseError('a change is ("put", space, key, value), ("delete", space, key) or ("promote", from, to)')


def _check_space(space: object) -> int:
    if not isinstance(space, int) or not 0 <= space < SPACE_INTERNAL:
        raise MisuseError("a space is a number from 0 to 254")
    return space


def _check_key(key: object) -> str:
    if not isinstance(key, str):
        raise MisuseError("a key is a str")
    return key
