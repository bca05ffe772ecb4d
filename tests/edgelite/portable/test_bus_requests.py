"""The node's devices for local programs: list, get, set, watch."""

from bus_fakes import KEY, BusBench
from device_fakes import device_map, property_row

TOPIC = "edgelite/devices/"


def test_a_person_reads_and_sets_without_a_hub():
    bench = BusBench(listens=("edgelite/#",)).add()
    rows = bench.ask(TOPIC + "list", {"id": "1"})
    assert rows == [
        (TOPIC + "list/result", {"id": "1", "devices": [{"device": KEY, "state": "unknown", "reason": ""}]})
    ]
    bench.devices.report_locally(KEY, "temp", "21.5", bench.now_ms)
    answer = bench.ask(TOPIC + "get", {"id": "2", "device": KEY})[0][1]
    assert answer["state"] == "online" and answer["age_ms"] < 1000
    temp = answer["properties"]["temp"]
    assert (temp["value"], temp["quality"], temp["type"], temp["writable"]) == ("21.5", "good", "FLOAT", True)
    assert "desired" not in temp and answer["properties"]["count"]["value"] is None
    said = bench.ask(TOPIC + "set", {"id": "3", "device": KEY, "property": "temp", "value": "30"})
    assert dict(said)[TOPIC + "set/result"] == {"id": "3"}
    changed = dict(said)[TOPIC + "changed/" + KEY + "/temp"]
    assert (changed["device"], changed["property"], changed["desired"]) == (KEY, "temp", "30")


def test_what_is_too_much_for_one_answer_comes_in_pages():
    bench = BusBench(listens=("edgelite/#",))
    rows = [property_row("p%03d" % number, "STRING") for number in range(150)]
    bench.devices.set_desired(KEY, device_map(rows, driver="mapper"), bench.now_ms)
    for number in range(150):
        bench.devices.report_locally(KEY, "p%03d" % number, "v" * 100, bench.now_ms)
    found = {}
    request = {"id": "1", "device": KEY}
    pages = 0
    while request is not None:
        answer = bench.ask(TOPIC + "get", request)[0][1]
        pages += 1
        assert not any(name in found for name in answer["properties"])
        found.update(answer["properties"])
        request = dict(request, after=answer["more"]) if "more" in answer else None
    assert len(found) == 150 and pages == 8
    for number in range(60):
        bench.devices.set_desired("default/d%02d" % number, device_map([], driver="mapper"), bench.now_ms)
    first = bench.ask(TOPIC + "list", {"id": "1"})[0][1]
    second = bench.ask(TOPIC + "list", {"id": "1", "after": first["more"]})[0][1]
    assert len(first["devices"]) + len(second["devices"]) == 61 and "more" not in second


def test_what_changes_is_told_to_those_who_watch():
    bench = BusBench(listens=(TOPIC + "changed/default/meter/#",)).add()
    assert [topic for topic, _ in bench.said()] == [TOPIC + "changed/" + KEY]
    bench.devices.report_locally(KEY, "temp", "1.0", bench.now_ms)
    bench.devices.report_locally(KEY, "temp", "2.0", bench.now_ms)
    changed = [value for topic, value in bench.said() if topic.endswith("/temp")]
    assert [one["value"] for one in changed] == ["2.0"], "what changes often is told once"
    bench.devices.set_desired(KEY, None, bench.now_ms)
    assert bench.said() == [(TOPIC + "changed/" + KEY, {"device": KEY, "state": "removed", "reason": ""})]


def test_what_is_wrong_has_a_reason():
    bench = BusBench(listens=("edgelite/#",)).add()
    for action, request, text in (
        ("list", b"x", "not JSON"),
        ("list", {}, "id must be"),
        ("list", {"id": "1", "after": 7}, "after must be"),
        ("get", {"id": "1"}, "device must be"),
        ("get", {"id": "1", "device": "default/other"}, "no device default/other"),
        ("set", {"id": "1", "device": KEY, "property": "temp"}, "value must be"),
        ("set", {"id": "1", "device": KEY, "property": "temp", "value": "101"}, "maximum"),
        ("set", {"id": "1", "device": KEY, "property": "nope", "value": "1"}, "no such property"),
        ("set", {"id": "1", "device": KEY, "property": "count", "value": "1"}, "read-only"),
    ):
        said = bench.ask(TOPIC + action, request)
        assert len(said) == 1 and text in said[0][1]["error"], (request, said)
