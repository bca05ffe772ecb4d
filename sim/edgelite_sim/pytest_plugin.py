"""Pytest fixtures for tests of your own drivers, workloads and manifests in a simulated world
(docs/testing-your-application.md):

    pytest_plugins = ["edgelite_sim.pytest_plugin"]        # in conftest.py, or: pytest -p edgelite_sim.pytest_plugin

    def test_it_runs_through_a_tunnel(world, hub, node, outage):
        hub.apply(open("pump.yaml").read())
        with outage(node, "silent"):
            world.run("10m")
        world.run("10m")
        assert len(hub.samples("default/pump", "pressure")) == 20

A test in whose world an invariant was violated fails with the invariant's sentence, whatever it has asserted itself.
"""

from __future__ import annotations

import datetime
from collections.abc import Generator
from typing import Any

import pytest

from edgelite.driver import ConfigurationError
from edgelite_sim import invariants
from edgelite_sim.faults.causing import Trouble, cause
from edgelite_sim.faults.kind import Scene
from edgelite_sim.invariants import Invariant
from edgelite_sim.live.fixtures import outage_proxy
from edgelite_sim.network.profile import Profile
from edgelite_sim.world.hub import SimHub
from edgelite_sim.world.node import SimNode
from edgelite_sim.world.world import START_UNIX_MS, World

__all__ = ["edgelite_seed", "fault", "hub", "node", "outage", "outage_proxy", "world"]

PLUGIN = "edgelite_sim.pytest_plugin"
SEED = 1
NODE = "node-1"
TAIL_LINES = 25
MARKER = {  # what @pytest.mark.edgelite(...) takes
    "seed": "of all chance in the world; --edgelite-seed overrides it",
    "start": 'what the calendar says at the start: "2026-06-01" or "2026-06-01T12:00:00Z"',
    "profile": "the network of the fixture `node`",
    "settings": "lines of its agent.conf",
    "invariants": "False: judge by none; {NAME: False, NAME: {BOUND: value}}",
    "may_raise": "True: that one of your programs raised is no failure",
}
STORY = pytest.StashKey["Story"]()
IS_EARLY = pytest.StashKey[bool]()


class Story:
    """The world of one test, and what is told of it in the end."""

    def __init__(self, seed: int, options: dict[str, Any]) -> None:
        self.options = options
        self.judges = _judges(options.get("invariants", True))
        self.world = World(seed, _start_unix_ms(options.get("start")), observers=self.judges)
        self._has_ended = False

    def end(self) -> str:
        """What was violated, "" where all held."""
        world = self.world
        if not self._has_ended and world.nodes:
            self._has_ended = True
            world.run(0)  # observers begin with the first run
            world.end()
        verdicts = [judge.verdict() for judge in self.judges]
        found = [_violation_text(verdict) for verdict in verdicts if not verdict.passed]
        found += [f"an agent raised ({node.name}):\n{text}" for node in world.nodes.values() for text in node.faults]
        if not self.options.get("may_raise"):
            found += world.programs.errors
        return "\n\n".join(found)

    def text(self, item: pytest.Item) -> str:
        world = self.world
        return "\n".join(
            [
                f"seed {world.seed}, {world.now_ms} ms simulated",
                f"trace {world.trace.digest}",
                "the same again: " + _again(item, world.seed),
                f"its last lines (ms, who, what), of {world.trace.lines}:",
                *list(world.trace.tail)[-TAIL_LINES:],
            ]
        )


def _judges(wanted: Any) -> list[Invariant]:
    switches = wanted if isinstance(wanted, dict) else {}
    if not isinstance(wanted, bool | dict) or not set(switches) <= set(invariants.names()):
        raise pytest.UsageError(
            f"edgelite(invariants={wanted!r}): True, False, or a dict of " + ", ".join(invariants.names())
        )
    try:
        return [
            invariants.make(name, **(switches[name] if isinstance(switches.get(name), dict) else {}))
            for name in invariants.names()
            if wanted is not False and switches.get(name, True) is not False
        ]
    except ConfigurationError as error:
        raise pytest.UsageError(f"edgelite(invariants=...): {error.path} {error.text}") from error


def _start_unix_ms(text: str | None) -> int:
    if text is None:
        return START_UNIX_MS
    try:
        moment = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"edgelite(start={text!r}): write a date such as 2026-06-01T12:00:00Z") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return round(moment.timestamp() * 1000)


def _violation_text(verdict: invariants.Verdict) -> str:
    lines = [f"  {one.time_ms} ms {one.node}: {one.text}" for one in verdict.violations[:3]]
    more = [f"  and {verdict.count - len(lines)} more"] if verdict.count > len(lines) else []
    return "\n".join([f"{verdict.name} does not hold: {verdict.sentence}", *lines, *more])


def _again(item: pytest.Item, seed: int) -> str:
    """A seed that came from the command line is in its test's id only there."""
    is_drawn = item.config.getoption("edgelite_seeds", default=None)
    test = item.nodeid.partition("[")[0] if is_drawn else item.nodeid
    early = f"-p {PLUGIN} " if PLUGIN in item.config.invocation_params.args else ""
    return f'pytest {early}"{test}"' + (f" --edgelite-seed {seed}" if item.config.stash.get(IS_EARLY, False) else "")


# ---- hooks


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("edgelite", "simulated worlds")
    group.addoption("--edgelite-seed", type=int, metavar="N", help="the seed of every simulated world")
    group.addoption("--edgelite-seeds", type=int, metavar="N", help="each test with a world, with the seeds 1 to N")


def pytest_configure(config: pytest.Config) -> None:
    parameters = ", ".join(f"{name}=..." for name in MARKER)
    config.addinivalue_line("markers", f"edgelite({parameters}): the simulated world of a test")


def pytest_cmdline_main(config: pytest.Config) -> None:
    """Not called where a test module names the plugin: the command line was read without its options then."""
    config.stash[IS_EARLY] = True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    count = metafunc.config.getoption("edgelite_seeds", default=None)
    if count and "edgelite_seed" in metafunc.fixturenames:
        seeds = range(1, count + 1)
        metafunc.parametrize("edgelite_seed", seeds, ids=[f"seed{seed}" for seed in seeds])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judged here and not when the fixture ends, so that it is the test that fails."""
    result = yield
    story = item.stash.get(STORY, None)
    if story is not None and (violated := story.end()):
        pytest.fail(violated, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    story = item.stash.get(STORY, None)
    if story is not None and report.failed and report.when != "teardown":
        violated = story.end()
        if violated and violated not in str(report.longrepr):
            report.sections.append(("edgelite: this did not hold either", violated))
        report.sections.append(("edgelite: the world of this test", story.text(item)))
    return report


# ---- fixtures


@pytest.fixture
def edgelite_seed(request: pytest.FixtureRequest) -> int:
    """--edgelite-seed, the marker's, or 1. Parametrize it for several of your own."""
    given = request.config.getoption("edgelite_seed", default=None)
    seed = _options(request).get("seed", SEED) if given is None else given
    if not isinstance(seed, int):
        raise pytest.UsageError(f"edgelite(seed={seed!r}): give a number")
    return seed


@pytest.fixture
def world(request: pytest.FixtureRequest, edgelite_seed: int) -> Generator[World, None, None]:
    """A world in which nothing is yet; `hub` and `node` bring one each."""
    story = Story(edgelite_seed, _options(request))
    request.node.stash[STORY] = story
    yield story.world
    del request.node.stash[STORY]


@pytest.fixture
def hub(world: World) -> SimHub:
    """A hub that runs, "hub"."""
    return world.add_hub()


@pytest.fixture
def node(world: World, hub: SimHub, request: pytest.FixtureRequest) -> SimNode:
    """A node that has joined and gets its power now, "node-1"; `world.add_node` for more."""
    options = _options(request)
    return world.add_node(NODE, options.get("profile", "lan"), options.get("settings"))


class Outage:
    """`outage(node, "silent")` begins one; the end of `with`, or `.end()`, ends it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __call__(self, node: SimNode | str, kind: str = "silent", for_: str | None = None) -> Trouble:
        """One of the ways to fail of docs/outages.md; `for_` ("10m") ends it by itself."""
        return cause(self._scene, "outage", _name(node), how=kind, **({"for_": for_} if for_ else {}))

    def profile(self, node: SimNode | str, profile: str | Profile, for_: str | None = None) -> Trouble:
        """Its network is another one meanwhile."""
        if isinstance(profile, Profile):
            self._scene.world.profiles[profile.name] = profile
            profile = profile.name
        return cause(self._scene, "profile", _name(node), profile=profile, **({"for_": for_} if for_ else {}))


class Fault:
    """`fault("power-cut", node)`, with the kinds and parameters of `edgelite sim faults`; `for` is written `for_`."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __call__(self, kind: str, target: SimNode | SimHub | str, **parameters: Any) -> Trouble:
        return cause(self._scene, kind, _name(target), **parameters)


@pytest.fixture
def outage(world: World) -> Outage:
    return Outage(_scene(world))


@pytest.fixture
def fault(world: World) -> Fault:
    return Fault(_scene(world))


def _scene(world: World) -> Scene:
    return Scene(world, world.profiles)


def _name(target: SimNode | SimHub | str) -> str:
    return target if isinstance(target, str) else target.name


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Of all markers, the closest one first."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("edgelite"))):
        if marker.args or not set(marker.kwargs) <= set(MARKER):
            raise pytest.UsageError("@pytest.mark.edgelite takes by name: " + ", ".join(MARKER))
        options |= marker.kwargs
    return options
