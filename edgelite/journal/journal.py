"""The journal: what the agent keeps on flash. edgelite/JOURNAL.md describes its bytes."""

import struct

from edgelite.effects import Sync
from edgelite.journal import layout
from edgelite.journal.commit import LAZY, URGENT, WINDOW, GroupCommit
from edgelite.journal.compaction import Cleaner
from edgelite.journal.files import Files
from edgelite.journal.limits import JournalLimits
from edgelite.journal.log import Log
from edgelite.journal.names import Names
from edgelite.journal.reader import Record
from edgelite.journal.recovery import LogRecovery, Recovery, check_fresh, list_files
from edgelite.journal.state import SPACE_INTERNAL, State, check_changes
from edgelite.journal.telemetry import Telemetry
from edgelite.storage import Storage, StorageFailingError, StorageFullError
from edgelite_protocol.errors import CorruptionError, MisuseError, PlatformError
from edgelite_protocol.messages import LANE_STATE, LANE_TELEMETRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_KEY_NAMES = "names"
_KEY_GENERATION = "generation"
_KEY_DROPS = "drops"

_FLUSH_BYTES = 16384  # more than this is not held in memory, due or not
_DAMAGE_LINES_MAX = 16
_DROPS_TAKEN_BELOW = 64  # state reports that wait: a minute's worth of a busy node, and far from what fits
_ROOM_RETRY_MS = 30000  # the medium was full: look again whether others have freed some of it


class Journal:
    """State by key, and the outbox, on one storage. Open it before anything else.

    What `write` and `append_report` take is visible at once, durable when `durable_position` has reached the
    position they returned (reports: when `reports` gives them). They raise StorageFullError where there is no room
    left; telemetry never does.
    """

    def __init__(
        self,
        storage: Storage,
        limits: JournalLimits,
        random_bytes: "Callable[[int], bytes]",
        emit: "Callable[[object], None]",
    ) -> None:
        self._storage = storage
        self._limits = limits
        self._emit = emit
        self._random_bytes = random_bytes
        self._files = Files(storage, limits.segment_bytes, limits.files_max, random_bytes)
        self._state = State(Log(storage, self._files, layout.STREAM_STATE), limits.state_bytes_max())
        telemetry_log = Log(storage, self._files, layout.STREAM_TELEMETRY)
        self._telemetry = Telemetry(storage, telemetry_log, limits, self._note_damage)
        self._logs = (self._state.log, telemetry_log)
        self._cleaner = Cleaner(storage, self._state.log, self._state.copy_forward, self._note_damage)
        self._commit = GroupCommit(limits.group_window_ms, limits.lazy_window_ms)
        self._names = Names(random_bytes)
        self._damage: list[str] = []
        self._room_retry_ms = 0
        self._is_stuck = False  # cleaning lacks room, or cannot read
        self._named_position = 0
        self._owes_names = False  # this start's generation found no room yet; nothing is written before it
        self._sync_position = 0
        self._last_names = [(0, 0), (0, 0)]  # by lane: the newest report
        self._sync_names = [(0, 0), (0, 0)]
        self._durable_names = [(0, 0), (0, 0)]
        self.position = 0
        self.durable_position = 0

    # ---- opening

    def open(self, now_ms: int) -> Recovery:
        """Read what there is. PlatformError where the storage fails, CorruptionError where there is a journal and
        nothing of its state can be read: it is never taken for an empty one. A full medium stops nobody: see
        `may_be_named`."""
        facts = Recovery()
        state_ids, telemetry_ids = list_files(self._storage, self._files, self._logs)
        self._recover(state_ids, telemetry_ids, facts)
        if not self._state.log.segments:
            check_fresh(len(state_ids) + len(telemetry_ids), self._files, self._telemetry.log.durable, facts)
            facts.fresh = True
            self._files.genesis = True
        self._load_facts(telemetry_ids, facts)
        facts.renamed = bool(facts.damaged)
        if facts.damaged:
            self._cleaner.damaged_id = self._state.log.segments[-1].segment_id if self._state.log.segments else 0
        try:
            self._begin_generation(facts.renamed)
        except StorageFullError as error:
            if facts.fresh:
                raise
            self._commit.stumble(error.text, now_ms)
        return facts

    def _recover(self, state_ids: "list[int]", telemetry_ids: "list[int]", facts: Recovery) -> None:
        uid: bytes | None = None
        for log, segment_ids in ((self._state.log, state_ids), (self._telemetry.log, telemetry_ids)):
            recovery = LogRecovery(self._storage, log, facts, self._apply, uid)
            recovery.run(segment_ids)
            uid = recovery.uid
        self._files.uid = uid if uid is not None else self._random_bytes(8)

    def _apply(self, stream: int, place: int, record: Record) -> None:
        if record.type == layout.REPORT:
            lane, name, _, _ = layout.decode_report(record.payload)
            self._names.saw(name[0])
            self._last_names[lane] = max(self._last_names[lane], name)
        if stream == layout.STREAM_STATE:
            self._state.apply(place, record.type, record.payload)
        else:
            self._telemetry.apply(place, record.type, record.payload)

    def _load_facts(self, telemetry_ids: "list[int]", facts: Recovery) -> None:
        names = self._state.get(SPACE_INTERNAL, _KEY_NAMES)
        if names is not None:
            self._names.load(names)
        kept = self._state.get(SPACE_INTERNAL, _KEY_GENERATION)
        if kept is not None:
            generation, telemetry_id = struct.unpack("<II", kept)
            self._names.saw(generation)
            if telemetry_id > max(telemetry_ids or [0]):
                facts.damaged.append("telemetry segment %d and what follows are missing" % telemetry_id)
        drops = self._state.get(SPACE_INTERNAL, _KEY_DROPS)
        if drops is not None:
            self._telemetry.drops.load(drops)
        for log in self._logs:
            self._names.saw(log.acknowledged[0])
        self._telemetry.settle()

    def _begin_generation(self, fresh_id: bool) -> None:
        self._names.begin(fresh_id)
        self._names.forget_before(min(self._first_generation(LANE_STATE), self._first_generation(LANE_TELEMETRY)))
        self._write_names()
        self.urgent()

    def _write_names(self) -> None:
        names = self._names
        self._owes_names = True
        generation = struct.pack("<II", names.generation, self._telemetry.log.durable[0])
        self._state_write(
            [
                (layout.PUT, layout.encode_put(SPACE_INTERNAL, _KEY_NAMES, names.encode())),
                (layout.PUT, layout.encode_put(SPACE_INTERNAL, _KEY_GENERATION, generation)),
            ],
            True,
        )
        self._owes_names = False
        self._named_position = self.position

    # ---- identity

    def may_be_named(self) -> bool:
        """Whether somebody may be told of this start's generation: it is durable, or the medium fails, for what was
        read back counts then. Never while it found no room: the next start would use it again."""
        is_durable = self.durable_position >= self._named_position
        return not self._owes_names and (is_durable or self.trouble is not None)

    @property
    def journal_id(self) -> bytes:
        """8 bytes; names all reports that are appended from now on."""
        return self._names.journal_id()

    @property
    def id_generation(self) -> int:
        """The first generation under this journal id."""
        return self._names.id_generation()

    @property
    def generation(self) -> int:
        return self._names.generation

    @property
    def instance(self) -> bytes:
        """8 random bytes, fresh with each opening: tells a journal from a copy of it."""
        return self._names.instance

    def new_journal_id(self) -> None:
        """Name later reports by a fresh id, and a fresh generation. Those that are there keep their names."""
        self._names.begin(True)
        self._write_names()
        self.urgent()

    def rename_generation(self) -> int:
        """This journal is an older copy, and the original may have used the names of this generation: give its
        reports, those that are there and later ones, a fresh journal id. Send none before the position is durable."""
        self._names.rename()
        self._write_names()
        self.urgent()
        return self.position

    # ---- state by key

    def get(self, space: int, key: str) -> "bytes | None":
        """CorruptionError where the value was there and does not validate any more."""
        return self._state.get(space, key)

    def keys(self, space: int) -> "list[str]":
        return self._state.index.keys(space)

    def write(self, changes: "list[tuple[object, ...]]") -> int:
        """All of the changes or none; the position to wait for. Changes: ("put", space, key, value),
        ("delete", space, key), ("promote", from_space, to_space): to_space's content becomes from_space's."""
        if changes:
            records = check_changes(changes)
            self._state.check_room(records)
            self._state_write(records)
            self._commit.want(WINDOW)
        return self.position

    def _state_write(self, records: "list[tuple[int, bytes]]", are_names: bool = False) -> None:
        if self._owes_names and not are_names:
            self._write_names()
        try:
            self._state.write(records)
        except StorageFullError as error:
            if isinstance(error, StorageFailingError):
                raise
            if not self._telemetry.give_spare() and not self._telemetry.remove_oldest():
                raise
            self._state.write(records)
            self._commit.want(URGENT)
        self.position += 1

    # ---- outbox

    def append_report(
        self, lane: int, body: "bytes | bytearray | memoryview", coalesce_key: "str | None" = None
    ) -> "tuple[int, int]":
        """The report's name: (generation, sequence). In the state lane a newer report supersedes an older one with
        the same key. Telemetry that finds no room is dropped and counted (`take_dropped`)."""
        if lane not in (LANE_STATE, LANE_TELEMETRY):
            raise MisuseError("no lane %r" % (lane,))
        name = self._names.take()
        payload = layout.encode_report(lane, name, coalesce_key if lane == LANE_STATE else None, body)
        if lane == LANE_STATE:
            self._state.check_room([(layout.REPORT, payload)])
            self._state_write([(layout.REPORT, payload)])
        elif self._owes_names:
            self._telemetry.drops.add(1, name, name)
            return name
        elif self._telemetry.append(name, payload):
            self.position += 1
        else:
            self._commit.want(LAZY)
            return name
        self._last_names[lane] = name
        self._commit.want(WINDOW)
        return name

    def has_reports(self, lane: int, after: "tuple[int, int] | None") -> bool:
        """Whether `reports` may give any: False is certain."""
        last = self._durable_names[lane]
        return last > self._acknowledged(lane) and (after is None or last > after)

    def reports(self, lane: int, after: "tuple[int, int] | None", count: int) -> "list[tuple[tuple[int, int], bytes]]":
        """Up to `count` synced reports behind `after`, oldest first, all under the journal id that `reports_journal`
        gives. What does not validate any more is left out and noted (`take_damage`). PlatformError where the medium
        cannot be read: nothing is left out for that."""
        start = self._acknowledged(lane)
        if after is not None and after > start:
            start = after
        if lane == LANE_TELEMETRY:
            self._telemetry.lane.acknowledge(self._acknowledged(lane))  # where it could not be read then
        below = self._names.next_id_generation(self._first_generation(lane))
        if lane == LANE_TELEMETRY:
            return self._telemetry.lane.reports(start, below, count)
        rows: list[tuple[tuple[int, int], bytes]] = []
        for name in self._state.lane.names():
            beyond = name > self._durable_names[LANE_STATE] or (below is not None and name[0] >= below)
            if beyond or len(rows) == count:
                break
            if name > start:
                try:
                    rows.append((name, self._state.report(name)))
                except CorruptionError as error:
                    self._note_damage(str(error))
                except PlatformError:
                    if not rows:
                        raise
                    break  # those before it first
        return rows

    def reports_journal(self, lane: int) -> bytes:
        """The journal id of the first report that is not acknowledged; the current one where there is none."""
        return self._names.journal_id_of(self._first_generation(lane))

    def _first_generation(self, lane: int) -> int:
        if lane == LANE_TELEMETRY:
            segments = self._telemetry.lane.segments
            return segments[0].first[0] if segments else self.generation
        names = self._state.lane.names()
        return names[0][0] if names else self.generation

    def acknowledge(self, lane: int, generation: int, sequence: int) -> None:
        """The hub has stored all reports of the lane up to this one. A name beyond what is durable here counts as
        the last durable one: it is about a later copy of this journal."""
        name = min((generation, sequence), self._durable_names[lane])
        if name <= self._acknowledged(lane):
            return
        record = (layout.ACKNOWLEDGE, layout.encode_acknowledge(lane, name))
        log = self._logs[lane]
        if log.fits(layout.record_bytes(len(record[1]))):
            log.append([record])
        if lane == LANE_STATE:
            self._state.acknowledge(name)
        else:
            self._telemetry.acknowledge(name)
        self._commit.want(LAZY)

    def _acknowledged(self, lane: int) -> "tuple[int, int]":
        return self._logs[lane].acknowledged

    def acknowledged(self) -> "list[list[int]]":
        """[lane, generation, sequence] of the last acknowledgement of each lane that has had one."""
        named = [lane for lane in (LANE_STATE, LANE_TELEMETRY) if self._acknowledged(lane)[0]]
        return [[lane] + list(self._acknowledged(lane)) for lane in named]  # noqa: RUF005 - portable

    def backlog(self, lane: int) -> "tuple[int, int]":
        """How many reports are not acknowledged, and their size in bytes on flash."""
        if lane == LANE_TELEMETRY:
            return self._telemetry.lane.backlog()
        return self._state.lane.count(), self._state.lane.size_bytes

    def take_dropped(self) -> "list[tuple[int, int, tuple[int, int], tuple[int, int]]]":
        """What was dropped since the last call: (lane, count, first name, last name). The caller must append its
        report about it before it calls `step` again; until then a power cut forgets neither. While many state
        reports wait already, it goes on being counted instead: each report of it takes room as well."""
        if self._owes_names or self._state.lane.count() >= _DROPS_TAKEN_BELOW:
            return []
        taken = self._telemetry.drops.take()
        if taken is None:
            return []
        self._commit.want(WINDOW)
        return [(LANE_TELEMETRY, taken[0], taken[1], taken[2])]

    def take_damage(self) -> "list[str]":
        """Damage met since the journal was opened: a line for a person each."""
        taken = self._damage
        self._damage = []
        return taken

    def _note_damage(self, text: str) -> None:
        if len(self._damage) < _DAMAGE_LINES_MAX and text not in self._damage:
            self._damage.append(text)

    # ---- syncing

    def urgent(self) -> None:
        """What was written so far must be synced at the next step."""
        self._commit.want(URGENT)

    def step(self, now_ms: int) -> "int | None":
        """Keep house, and emit a Sync when one is due; the next deadline, None while only a completion or a new
        write changes anything. A failing medium shows in `trouble` and is tried again."""
        try:
            self._keep_house(now_ms)
            due_ms = self._commit.deadline_ms(now_ms)
            if due_ms is not None and due_ms <= now_ms:
                self._begin_sync()
                due_ms = None
        except PlatformError as error:
            self._commit.stumble(error.text, now_ms)
            due_ms = self._commit.deadline_ms(now_ms)
        if not self._cleaner.is_copying():
            return due_ms
        due_ms = self._room_retry_ms if due_ms is None else min(due_ms, self._room_retry_ms)
        return due_ms if self._is_stuck else now_ms

    def _keep_house(self, now_ms: int) -> None:
        if self._state.log.pending_bytes + self._telemetry.log.pending_bytes > _FLUSH_BYTES:
            self._flush()
        if self.durable_position == 0:
            return  # so that a file that is made now cannot be taken for one of an interrupted first start
        self._shrink_telemetry()
        waits = now_ms < self._room_retry_ms and not self._files.free
        if waits and self._is_stuck:
            return
        try:
            self._clean()
            if waits:  # nobody else may have freed some of the medium, but cleaning goes on
                self._mark_dying()
                return
            self._state.log.make_spare()
        except PlatformError as error:  # or what is to be copied cannot be read at present
            self._room_retry_ms = now_ms + _ROOM_RETRY_MS
            if isinstance(error, StorageFailingError):
                raise
            if isinstance(error, StorageFullError):
                self._give_way()
        else:
            self._telemetry.make_ready()

    def _shrink_telemetry(self) -> None:
        if self._telemetry.drop_by_policy():
            self._write_drops()
        if self._telemetry.release(self.durable_position) and self._telemetry.is_full():
            self._telemetry.log.mark_tail()
            self._commit.want(WINDOW)

    def _clean(self) -> None:
        end = self._state.log.bytes_appended
        self._is_stuck = True
        self._cleaner.step(self._state.live_bytes(), self.position, self.durable_position)
        self._is_stuck = False
        if self._state.log.bytes_appended != end:
            self.position += 1
            self._commit.want(WINDOW)

    def _give_way(self) -> None:
        """There is no room for state. What has been cleaned comes first; then telemetry gives way, whatever its
        policy."""
        if self._state.log.dying_count():
            self._mark_dying()
        elif not self._telemetry.give_spare() and self._telemetry.drop_oldest():
            self._write_drops()

    def _mark_dying(self) -> None:
        if self._state.log.dying_count() and self._state.log.mark_tail():
            self._commit.want(WINDOW)

    def _write_drops(self) -> None:
        """Have on record what was dropped, before it goes."""
        payload = layout.encode_put(SPACE_INTERNAL, _KEY_DROPS, self._telemetry.drops.encode())
        self._state_write([(layout.PUT, payload)])
        self._telemetry.release_at(self.position)
        self._commit.want(WINDOW)

    def flush(self, now_ms: int) -> None:
        """Hand to the storage what waits for its sync: then it outlives this process, though not the power."""
        try:
            self._flush()
        except PlatformError as error:
            self._commit.stumble(error.text, now_ms)

    def _flush(self) -> bool:
        """False where something must wait for the headers of its segment to be durable."""
        state = self._state.log.flush()
        telemetry = self._telemetry.log.flush()
        return state and telemetry

    def _begin_sync(self) -> None:
        if self._owes_names:
            self._write_names()
        if self._telemetry.drops.changed:
            self._write_drops()
        complete = self._flush()
        for log in self._logs:
            if self._commit.failed():
                log.rewrite_unsynced()
            log.begin_sync()
        if complete:
            self._sync_position = self.position
            self._sync_names = list(self._last_names)
        token = self._commit.begin()
        if not complete:
            self.urgent()
        self._emit(Sync(token))

    def synced(self, token: int, now_ms: int) -> None:
        """The Sync with this token has completed."""
        if not self._commit.complete(token):
            return
        self.durable_position = self._sync_position
        self._files.genesis = self._files.genesis and self.durable_position == 0
        self._durable_names = list(self._sync_names)
        for log in self._logs:
            log.finish_sync()

    def sync_failed(self, token: int, text: str, now_ms: int) -> None:
        """It failed: nothing became durable; it is tried again with backoff."""
        if self._commit.fail(token, text, now_ms):
            for log in self._logs:
                log.fail_sync()

    # ---- figures

    @property
    def trouble(self) -> "str | None":
        """Why nothing becomes durable at present; None while all is well."""
        return self._commit.trouble

    def statistics(self) -> "dict[str, int]":
        """Since the journal was opened, apart from what there is now: files, segments, live bytes."""
        return {
            "bytes_written": self._state.log.bytes_written + self._telemetry.log.bytes_written,
            "syncs": self._commit.syncs,
            "sync_failures": self._commit.sync_failures,
            "files": self._files.count,
            "files_created": self._files.created,
            "segments": len(self._state.log.segments) + len(self._telemetry.log.segments),
            "segments_cleaned": self._cleaner.segments_cleaned,
            "live_bytes": self._state.live_bytes(),
            "reports_dropped": self._telemetry.drops.total,
        }
