"""KubeEdge's topics and payloads, as a mapper and an application meet them."""

from bus_fakes import KEY, NODE_TOPIC, TOPIC, BusBench
from device_fakes import device_map, property_row

from edgelite_protocol.errors import ProtocolError

LETTERS = "aA0-_.,:/@#"


def update(**twins):
    return {"event_id": "e1", "timestamp": 1, "twin": twins}


def actual(text):
    return {"actual": {"value": text, "metadata": {"timestamp": 5}}, "metadata": {"type": "Updated"}}


def expected(text):
    return {"expected": {"value": text}}


def documents_of(said):
    return [value for topic, value in said if topic == TOPIC + "twin/update/document"]


def deltas_of(said):
    return [value for topic, value in said if topic == TOPIC + "twin/update/delta"]


def error_of(bench, value, action="twin/update"):
    """The code and reason of the one answer."""
    said = bench.ask(TOPIC + action, value)
    assert [topic for topic, _ in said] == [TOPIC + action + "/result"], said
    return said[0][1].get("code"), said[0][1].get("reason", "")


def test_a_mapper_reports_a_value():
    bench = BusBench().add()
    said = bench.ask(TOPIC + "twin/update", update(temp=actual("21.5")))
    topic, result = said[0] if said[0][0].endswith("result") else said[1]
    assert topic == TOPIC + "twin/update/result"
    assert result["event_id"] == "e1" and result["timestamp"] > 1_700_000_000_000
    twin = result["twin"]["temp"]
    assert twin["actual"]["value"] == "21.5" and twin["metadata"] == {"type": "float"}
    assert twin["actual"]["metadata"]["timestamp"] > 1_700_000_000_000
    documents = documents_of(said)
    assert len(documents) == 1 and documents[0]["event_id"] == "e1"
    assert documents[0]["twin"]["temp"]["last"] is None
    assert documents[0]["twin"]["temp"]["current"]["actual"]["value"] == "21.5"
    assert bench.recorder.telemetry() == [{"temp": 21.5}], "it goes to the hub"
    assert bench.recorder.states()[-1] == ("online", "")
    said = bench.ask(TOPIC + "twin/update", update(temp=actual("22.0")))
    last = documents_of(said)[0]["twin"]["temp"]["last"]
    assert last["actual"]["value"] == "21.5"


def test_a_value_that_the_hub_desires_is_a_delta_until_it_is_reported():
    bench = BusBench().add()
    bench.said()
    bench.add(desired="30", desired_version=4)
    said = bench.said()
    delta = deltas_of(said)
    assert [one["delta"] for one in delta] == [{"temp": "30"}], said
    assert delta[0]["twin"]["temp"]["expected"]["value"] == "30"
    assert delta[0]["twin"]["temp"]["expected_version"]["cloud"] == 4
    said = bench.ask(TOPIC + "twin/update", update(temp=actual("29")))
    assert [value["delta"] for value in deltas_of(said)] == [{"temp": "30"}]
    said = bench.ask(TOPIC + "twin/update", update(temp=actual("30")))
    assert deltas_of(said) == []
    assert bench.ask(TOPIC + "twin/get", {"event_id": "g"})[0][1]["twin"]["temp"]["actual"]["value"] == "30.0"
    said = bench.ask(TOPIC + "twin/update", update(temp=actual("12")))
    assert deltas_of(said) == [], "what was reached once is settled: turned by hand, it stands"


def test_an_application_desires_a_value():
    bench = BusBench().add()
    said = bench.ask(TOPIC + "twin/update", update(temp=expected("40"), name=expected("oven")))
    assert sorted([topic[len(TOPIC) :] for topic, _ in said if topic.startswith(TOPIC)]) == [
        "twin/update/delta",
        "twin/update/document",
        "twin/update/result",
    ]
    delta = deltas_of(said)[0]
    assert delta["delta"] == {"temp": "40", "name": "oven"} and delta["event_id"] == "e1"


def test_a_device_that_the_node_reads_is_desired_to_and_not_reported():
    bench = BusBench()
    bench.devices.set_desired(KEY, device_map([property_row("power", "INT", writable=True)]), bench.now_ms)
    bench.said()
    code, reason = error_of(bench, update(power=actual("9")))
    assert code == 400 and "mapper" in reason
    both = dict(expected("8"), actual={"value": "8"})
    assert error_of(bench, update(power=both))[0] == 400
    assert bench.fake.bus.writes == [], "an update counts as a whole or not at all"
    bench.ask(TOPIC + "twin/update", update(power=expected("9")))
    assert bench.fake.bus.holds["power"] == 9, "it is written"
    twin = bench.ask(TOPIC + "twin/get", {})[0][1]["twin"]["power"]
    assert (twin["expected"]["value"], twin["actual"]["value"]) == ("9", "9")


def test_what_is_wrong_has_a_code_and_a_reason_and_changes_nothing():
    bench = BusBench().add()
    for value, code, text in (
        (b"{", 400, "not JSON"),
        (b"[]", 400, "must be a JSON object"),
        (b" " * 4097, 400, "at most 4096"),
        ({"event_id": 7, "twin": {}}, 400, "event_id"),
        ({"event_id": "x" * 129}, 400, "event_id"),
        ({"event_id": "e"}, 400, "twin must be"),
        (update(), 400, "twin must be"),
        (update(temp=7), 400, "temp must be an object"),
        (update(temp={"optional": True}), 400, "no property has"),
        (update(temp={"actual": {}}), 400, "temp.actual.value"),
        (update(temp={"actual": {"value": 7}}), 400, "temp.actual.value must be a text"),
        (update(temp=actual("warm")), 400, "decimal number"),
        (update(count=actual("1.5")), 400, "decimal integer"),
        (update(name=actual("a b")), 400, "letters, digits"),
        (update(name=actual("x" * 513)), 400, "1 to 512"),
        (update(name=actual("")), 400, "1 to 512"),
        (update(**{"x" * 129: actual("1")}), 400, "1 to 128"),
        (update(**{"a b": actual("1")}), 400, "letters, digits"),
        (update(pressure=actual("1")), 404, "no property pressure"),
        (update(temp=None), 400, "DeviceModel"),
        (update(temp={"metadata": {"type": "deleted"}}), 400, "DeviceModel"),
        (update(temp=expected("101")), 400, "maximum"),
        (update(count=expected("5")), 400, "read-only"),
        (update(name=actual("ok"), temp=actual("warm")), 400, "decimal number"),
        (update(name=expected("ok"), count=expected("5")), 400, "read-only"),
        (update(temp={"actual": {"value": "1"}, "actual_version": {"edge": "x"}}), 400, "whole numbers"),
    ):
        found, reason = error_of(bench, value)
        assert found == code and text in reason, (value, found, reason)
    twins = bench.ask(TOPIC + "twin/get", {"event_id": "g"})[0][1]["twin"]
    assert all("actual" not in twins[name] and "expected" not in twins[name] for name in twins), twins
    assert bench.ask(TOPIC + "twin/update", update(name=actual(LETTERS)))[0][1].get("code") is None


def test_a_device_that_is_not_here():
    bench = BusBench()
    for action in ("twin/update", "twin/get", "state/update"):
        assert error_of(bench, update(temp=actual("1")), action)[0] == 404


def test_an_older_version_than_the_nodes_is_refused():
    bench = BusBench().add(desired="30", desired_version=4)
    bench.said()
    bench.ask(TOPIC + "twin/update", update(temp=actual("1")))
    bench.ask(TOPIC + "twin/update", update(temp=actual("2")))
    older = dict(expected("31"), expected_version={"cloud": 3, "edge": 9})
    assert error_of(bench, update(temp=older))[0] == 409
    older = dict(actual("3"), actual_version={"cloud": 0, "edge": 1})
    assert error_of(bench, update(temp=older))[0] == 409
    same = dict(actual("3"), actual_version={"cloud": 0, "edge": 2})
    assert bench.ask(TOPIC + "twin/update", update(temp=same))[0][1].get("code") is None


def test_a_program_tells_the_state_of_its_device():
    bench = BusBench().add()
    said = bench.ask(TOPIC + "state/update", {"event_id": "s", "timestamp": 1, "state": "unhealthy"})
    result = dict(said)[TOPIC + "state/update/result"]
    assert result["event_id"] == "s" and result["state"] == "unhealthy"
    assert dict(said)[TOPIC + "updated"]["state"] == "unhealthy"
    assert bench.recorder.states()[-1][0] == "unhealthy"
    code, reason = error_of(bench, {"event_id": "s", "state": "sleepy"}, "state/update")
    assert code == 400 and "online" in reason
    assert error_of(bench, {"event_id": "s", "state": 5}, "state/update")[0] == 400


def test_programs_are_told_which_devices_there_are():
    bench = BusBench().add()
    added = dict(bench.said())[NODE_TOPIC + "updated"]
    assert [one["id"] for one in added["added_devices"]] == [KEY] and added["removed_devices"] == []
    devices = bench.ask(NODE_TOPIC + "get", {"event_id": "m"})[0][1]
    assert devices["event_id"] == "m"
    assert [(one["id"], one["name"], one["state"]) for one in devices["devices"]] == [(KEY, "meter", "unknown")]
    bench.devices.set_desired(KEY, None, bench.now_ms)
    removed = dict(bench.said())[NODE_TOPIC + "updated"]
    assert [one["id"] for one in removed["removed_devices"]] == [KEY]
    assert bench.ask(NODE_TOPIC + "get", {})[0][1]["devices"] == []


def test_programs_are_told_of_the_link():
    bench = BusBench()
    bench.has_hub = True
    assert [topic for topic, _ in bench.said()] == ["$hw/events/connected/kitchen"]
    bench.has_hub = False
    assert [topic for topic, _ in bench.said()] == ["$hw/events/disconnected/kitchen"]


def test_what_nobody_serves_is_refused_with_the_reason():
    bench = BusBench()
    for topic, text in (
        ("$hw/events/upload/x", "hub"),
        ("SYS/dis/upload_records", "hub"),
        (TOPIC + "twin/update/result", "docs/bus.md"),
        ("$hw/events/device/meter/twin/update", "docs/bus.md"),
        ("$hw/events/node/other/membership/get", "docs/bus.md"),
        ("edgelite/devices/list/result", "docs/bus.md"),
    ):
        try:
            bench.bus.publish(topic, b"{}", from_outside=True)
        except ProtocolError as error:
            assert error.code == "bus_reserved" and text in error.text, error
            continue
        raise AssertionError(topic)
    assert bench.bus.publish("+/user/x".replace("+", "shop"), b"", from_outside=True) == 0, "stays on the node"


def test_a_device_with_many_properties_is_told_in_pieces_and_read_by_name():
    bench = BusBench(listens=("$hw/#",))
    rows = [property_row("p%02d" % number, "STRING") for number in range(50)]
    bench.devices.set_desired(KEY, device_map(rows, driver="mapper"), bench.now_ms)
    bench.said()
    for number in range(50):
        bench.devices.report_locally(KEY, "p%02d" % number, "v" * 50, bench.now_ms)
    sizes = [len(one["twin"]) for one in documents_of(bench.said())]
    assert sum(sizes) == 50 and max(sizes) == 20
    twins = bench.ask(TOPIC + "twin/get", {"twin": {"p07": None, "absent": None}})[0][1]["twin"]
    assert list(twins) == ["p07"]
    for number in range(50):
        bench.devices.report_locally(KEY, "p%02d" % number, "v" * 500, bench.now_ms)
    assert error_of(bench, {}, "twin/get") == (500, "the answer is too long")


def test_what_nobody_listens_to_is_never_written():
    bench = BusBench(listens=(TOPIC + "twin/update/result",)).add(desired="30")
    bench.run()
    written = []
    bench.parts[0].send = lambda topic, value: written.append(topic) or True
    bench.devices.report_locally(KEY, "temp", "5", bench.now_ms)
    bench.devices.state_locally(KEY, "offline", bench.now_ms)
    bench.run()
    assert written == []
