"""Whatever a link does, TCP's promise holds: what arrives is what was sent, in order and once, or it ends."""

import random
import sys
import time
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_sim.network import profile as profiles
from edgelite_sim.network.conditions import KINDS
from edgelite_sim.network.flow import DOWN, UP, Flow
from edgelite_sim.network.link import Link
from edgelite_sim.network.profile import Profile

FLOWS = 2
HEAL_MS = 3_600_000  # longer than the longest repeat and the longest transfer below
MICROSECONDS_MAX = 40

act = st.one_of(
    st.tuples(st.just("send"), st.integers(0, FLOWS - 1), st.sampled_from([UP, DOWN]), st.integers(1, 20_000)),
    st.tuples(st.just("cut"), st.sampled_from(KINDS)),
    st.tuples(st.just("heal")),
    st.tuples(st.just("use"), st.sampled_from(profiles.names())),
    st.tuples(st.just("close"), st.integers(0, FLOWS - 1), st.sampled_from([UP, DOWN])),
    st.tuples(st.just("reset"), st.integers(0, FLOWS - 1), st.sampled_from([UP, DOWN, None])),
    st.tuples(st.just("dark"), st.integers(0, FLOWS - 1), st.sampled_from([UP, DOWN])),
    st.tuples(st.just("light"), st.integers(0, FLOWS - 1), st.sampled_from([UP, DOWN])),
)
wait = st.one_of(st.integers(0, 50), st.integers(50, 5_000), st.integers(5_000, 1_200_000))
story = st.lists(st.tuples(wait, act), max_size=14)


@dataclass
class Scene:
    """A link with flows, and what was sent and has arrived on each in each direction."""

    profile: Profile
    seed: int
    is_coarse: bool = False  # steps only when something is done, not at each deadline
    now_ms: int = 0
    sent: list[list[bytearray]] = field(default_factory=list)
    came: list[list[bytearray]] = field(default_factory=list)
    log: list[object] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)  # an end was closed or died

    def __post_init__(self) -> None:
        self.link = Link(self.profile, random.Random(self.seed), 0)
        self.flows = [self.link.flow(0) for _ in range(FLOWS)]
        self.sent = [[bytearray(), bytearray()] for _ in range(FLOWS)]
        self.came = [[bytearray(), bytearray()] for _ in range(FLOWS)]

    def run(self, until_ms: int) -> None:
        while not self.is_coarse:
            deadlines = [deadline for flow in self.flows if (deadline := self.step(flow, self.now_ms)) is not None]
            if (change_ms := self.link.step(self.now_ms)) is not None:
                deadlines.append(change_ms)
            assert all(deadline > self.now_ms for deadline in deadlines), "it would never end"
            if min(deadlines, default=until_ms) >= until_ms:
                break
            self.now_ms = min(deadlines)
        self.now_ms = until_ms
        for flow in self.flows:
            self.step(flow, until_ms)

    def step(self, flow: Flow, now_ms: int) -> int | None:
        deadline_ms = flow.step(now_ms)
        index = self.flows.index(flow)
        for direction in (UP, DOWN):
            for data in flow.arrived(direction):
                self.came[index][direction] += data
        return deadline_ms

    def do(self, words: tuple[object, ...]) -> None:
        name, *rest = words
        if name == "cut":
            self.link.cut(rest[0], self.now_ms)  # type: ignore[arg-type]
        elif name == "heal":
            self.link.heal(self.now_ms)
        elif name == "use":
            self.link.use(profiles.builtin(str(rest[0])), self.now_ms)
        else:
            self.do_to_flow(str(name), *rest)  # type: ignore[arg-type]
        self.log.append((self.now_ms, words, self.link.state, [list(flow.wire_bytes) for flow in self.flows]))

    def do_to_flow(self, name: str, index: int, direction: int | None, size: int = 0) -> None:
        flow = self.flows[index]
        if name == "send":
            assert direction is not None
            data = random.Random(len(self.log)).randbytes(size)
            if flow.room_bytes(direction):
                self.sent[index][direction] += data
                flow.send(direction, data, self.now_ms)
            return
        self.killed.add(index)
        if name == "reset":
            flow.reset(self.now_ms, direction)
        elif direction is not None:
            {
                "close": lambda: flow.close(direction, self.now_ms),
                "dark": lambda: flow.lose_power(direction),
                "light": lambda: flow.regain_power(direction),
            }[name]()


def play(seed: int, name: str, acts: list[tuple[int, tuple[object, ...]]], is_coarse: bool = False) -> Scene:
    scene = Scene(replace(profiles.builtin(name), name="it"), seed, is_coarse)
    for wait_ms, words in acts:
        scene.run(scene.now_ms + wait_ms)
        scene.do(words)
    return scene


def check_promise(scene: Scene) -> None:
    for index, flow in enumerate(scene.flows):
        for direction in (UP, DOWN):
            came, sent = scene.came[index][direction], scene.sent[index][direction]
            assert sent.startswith(came)
            assert flow.wire_bytes[direction] >= len(came)


@given(st.integers(0, 1 << 32), st.sampled_from(profiles.names()), story)
@settings(max_examples=120, deadline=None)
def test_what_arrives_is_the_beginning_of_what_was_sent_and_a_healed_link_delivers_the_rest(
    seed: int, name: str, acts: list[tuple[int, tuple[object, ...]]]
) -> None:
    scene = play(seed, name, acts)
    check_promise(scene)
    scene.link.use(profiles.builtin("lan"), scene.now_ms)
    scene.link.heal(scene.now_ms)
    scene.run(scene.now_ms + HEAL_MS)
    check_promise(scene)
    for index, flow in enumerate(scene.flows):
        if flow.ended(UP) or flow.ended(DOWN) or flow.is_forgotten or index in scene.killed:
            continue
        assert scene.came[index] == scene.sent[index]
    assert all(flow.step(scene.now_ms) is None for flow in scene.flows), "something goes on for ever"


@given(st.integers(0, 1 << 32), st.sampled_from(profiles.names()), story)
@settings(max_examples=60, deadline=None)
def test_the_same_seed_gives_the_same_course_and_late_steps_break_no_promise(
    seed: int, name: str, acts: list[tuple[int, tuple[object, ...]]]
) -> None:
    first, second = play(seed, name, acts), play(seed, name, acts)
    assert (first.log, first.came) == (second.log, second.came)
    check_promise(play(seed, name, acts, is_coarse=True))


def test_a_message_on_an_idle_lan_is_cheap() -> None:
    link = Link(profiles.builtin("lan"), random.Random(1), 0)
    flow = link.flow(0)
    count, now_ms, data = 20_000, 0, b"x" * 40
    began = time.perf_counter()
    for _ in range(count):
        now_ms += 1_000
        flow.send(UP, data, now_ms)
        deadline_ms = flow.step(now_ms)
        assert deadline_ms is not None
        flow.step(deadline_ms)
        assert flow.arrived(UP)
    microseconds = (time.perf_counter() - began) / count * 1e6
    sys.stdout.write(f"{microseconds:.1f} microseconds for each message\n")
    assert microseconds < MICROSECONDS_MAX
