"""A real agent and a real broker: mosquitto. Under both runtimes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from edgelite_protocol import messages as m

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import AgentSite, wait_until
from hub_peer import HubPeer
from mosquitto import Mosquitto
from test_agent import SITES

METER = "$hw/events/device/default/meter/"
CONNECTED = "$hw/events/connected/kitchen"
DISCONNECTED = "$hw/events/disconnected/kitchen"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubPeer]:
    made = HubPeer(tmp_path / "hub")
    yield made
    made.cut()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path / "broker").start()
    yield made
    made.end()


Make = Callable[..., AgentSite]


@pytest.fixture(params=SITES)
def make_site(request: pytest.FixtureRequest, hub: HubPeer, tmp_path: Path) -> Iterator[Make]:
    made: list[AgentSite] = []

    def make(port: int, **config: object) -> AgentSite:
        site = SITES[request.param](tmp_path / "node").make_node(hub, mqtt=f"127.0.0.1:{port}", **config)
        made.append(site)
        return site

    yield make
    for site in made:
        site.end()


def is_subscribed(site: AgentSite, port: int) -> bool:
    return f"mqtt: the broker 127.0.0.1:{port} answered" in site.log()


def put_meter(hub: HubPeer) -> None:
    """A meter whose driver is a program of the node: a mapper."""
    device: dict[int, object] = {
        m.DEVICE_UID: "uid-meter",
        m.DEVICE_NAMESPACE: "default",
        m.DEVICE_NAME: "meter",
        m.DEVICE_DRIVER: "mapper",
        m.DEVICE_PROTOCOL: {},
        m.DEVICE_PROPERTIES: [
            {
                m.PROPERTY_NAME: "limit",
                m.PROPERTY_TYPE: "INT",
                m.PROPERTY_WRITABLE: True,
                m.PROPERTY_VISITOR: {},
                m.PROPERTY_COLLECT_MS: 1000,
                m.PROPERTY_REPORT_MS: 1000,
                m.PROPERTY_REPORT_TO_CLOUD: True,
            }
        ],
        m.DEVICE_GENERATION: 1,
    }
    hub.put(m.KIND_DEVICE, "default/meter", device)


def test_an_application_updates_a_twin_over_mosquitto(hub: HubPeer, broker: Mosquitto, make_site: Make) -> None:
    """As one written for KubeEdge does it."""
    put_meter(hub)
    listener = broker.listen("$hw/events/#")
    site = make_site(broker.port).start()
    wait_until(lambda: listener.payloads(CONNECTED), what=site.log)
    wait_until(lambda: hub.applied, what=site.log)
    update = {"event_id": "e-1", "timestamp": 0, "twin": {"limit": {"expected": {"value": "7"}}}}
    broker.publish(METER + "twin/update", json.dumps(update))
    for rest in ("result", "delta"):
        topic = METER + "twin/update/" + rest
        wait_until(partial(listener.payloads, topic), what=lambda: (listener.heard, site.log()))
    result = json.loads(listener.payloads(METER + "twin/update/result")[0])
    assert result["event_id"] == "e-1"
    assert result["twin"]["limit"]["expected"]["value"] == "7"
    assert json.loads(listener.payloads(METER + "twin/update/delta")[0])["delta"] == {"limit": "7"}
    broker.publish(METER + "twin/get", "{}")
    wait_until(lambda: listener.payloads(METER + "twin/get/result"), what=lambda: listener.heard)
    broker.publish("$hw/events/device/default/other/twin/get", '{"event_id":"e-2"}')
    error = "$hw/events/device/default/other/twin/get/result"
    wait_until(lambda: listener.payloads(error), what=lambda: listener.heard)
    assert json.loads(listener.payloads(error)[0])["code"] == 404
    assert len(listener.payloads(METER + "twin/update")) == 1, "nothing went round"


def test_a_mapper_reports_over_mosquitto(hub: HubPeer, broker: Mosquitto, make_site: Make) -> None:
    """The driver of a device, as KubeEdge has them, is a client of the broker; its values reach the hub."""
    put_meter(hub)
    listener = broker.listen("$hw/events/#")
    site = make_site(broker.port).start()
    wait_until(lambda: hub.applied and listener.payloads(CONNECTED), what=site.log)
    broker.publish(METER + "state/update", '{"event_id":"s","state":"online"}')
    broker.publish(METER + "twin/update", '{"event_id":"a","twin":{"limit":{"actual":{"value":"42"}}}}')
    result = METER + "twin/update/result"
    wait_until(lambda: listener.payloads(result), what=lambda: (listener.heard, site.log()))
    assert json.loads(listener.payloads(result)[0])["twin"]["limit"]["actual"]["value"] == "42"
    wait_until(lambda: 42 in values_of(hub), what=lambda: hub.reports)


def values_of(hub: HubPeer) -> list[object]:
    bodies = [body for _, _, _, body in hub.reports if body.get(m.REPORT) == m.REPORT_TELEMETRY]
    return [value for body in bodies for value in body[m.TELEMETRY_VALUES].values()]  # type: ignore[attr-defined]


def test_the_broker_tells_when_the_agent_ends(hub: HubPeer, broker: Mosquitto, make_site: Make) -> None:
    listener = broker.listen("$hw/events/#")
    site = make_site(broker.port).start()
    wait_until(lambda: listener.payloads(CONNECTED), what=site.log)
    site.kill()
    wait_until(lambda: listener.heard[-1][0] == DISCONNECTED, what=lambda: listener.heard)
    assert json.loads(listener.heard[-1][1]) == {"event_id": "", "timestamp": 0}, "the last will"
    site.start()
    wait_until(lambda: listener.heard[-1][0] == CONNECTED, what=site.log)
    assert json.loads(listener.heard[-1][1])["timestamp"] > 1_500_000_000_000
    assert site.stop() == 0
    wait_until(lambda: listener.heard[-1][0] == DISCONNECTED, what=lambda: listener.heard)
    assert json.loads(listener.heard[-1][1])["event_id"], "said by the agent itself"


def test_the_broker_goes_and_comes_back(hub: HubPeer, broker: Mosquitto, make_site: Make) -> None:
    listener = broker.listen("$hw/events/#")
    site = make_site(broker.port).start()
    wait_until(lambda: listener.payloads(CONNECTED), what=site.log)
    listener.end()
    broker.stop()
    wait_until(lambda: "mqtt: no broker at 127.0.0.1" in site.log(), what=site.log)
    broker.start()
    listener = broker.listen("$hw/events/#")
    topic = "$hw/events/node/kitchen/membership/get"

    def is_answered() -> bool:
        broker.publish(topic, "{}")
        return listener.payloads(topic + "/result") != []

    wait_until(is_answered, timeout_s=30, what=lambda: (listener.heard, site.log()))


def test_user_password_and_prefix(hub: HubPeer, tmp_path: Path, make_site: Make) -> None:
    broker = Mosquitto(tmp_path / "locked", ("edge", "se cret")).start()
    try:
        _with_a_password(broker, make_site)
    finally:
        broker.end()


def _with_a_password(broker: Mosquitto, make_site: Make) -> None:
    config = {"mqtt_user": "edge", "mqtt_password_file": "broker.password", "mqtt_prefix": "site-1/"}
    site = make_site(broker.port, **config)
    password = site.state / "broker.password"
    password.write_text("wrong\n")
    site.start()
    wait_until(lambda: "this node may not connect" in site.log() or "password is wrong" in site.log(), what=site.log)
    site.stop()
    password.write_text("se cret\n")
    listener = broker.listen("site-1/$hw/#")
    site.start()
    wait_until(lambda: listener.payloads("site-1/" + CONNECTED), what=site.log)
    topic = "site-1/$hw/events/node/kitchen/membership/get"
    broker.publish(topic, "{}")
    wait_until(lambda: listener.payloads(topic + "/result"), what=lambda: (listener.heard, site.log()))


def test_programs_of_node_and_broker_talk(hub: HubPeer, broker: Mosquitto, make_site: Make) -> None:
    from edgelite_ports.common.bus_client import Client

    listener = broker.listen("#")
    site = make_site(broker.port, bus="yes").start()
    path = site.runtime() / "sockets" / "bus.sock"
    wait_until(path.exists, what=site.log)
    client = Client(str(path))
    try:
        client.subscribe("edgelite/to/kitchen/#")
        wait_until(lambda: is_subscribed(site, broker.port), what=site.log)
        broker.publish("edgelite/to/kitchen/lamp", "on")
        message = client.next(10)
        assert message is not None
        assert message.payload == b"on"
        client.publish("edgelite/from/kitchen/lamp", "is on")
        client.publish("line/lamp", "stays here")
        wait_until(lambda: listener.payloads("edgelite/from/kitchen/lamp") == ["is on"], what=lambda: listener.heard)
        assert not listener.payloads("line/lamp")
    finally:
        client.close()
