"""The central's state machine: connections one after another, what fails, what comes back, what is bounded."""

from ble_fakes import ADDRESS, ALARM, PERIOD, SECRET, TEMPERATURE, World, temperature, visitor

from edgelite_drivers.ble import peer as states
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.central import PEERS_MAX, RESULTS_MAX
from edgelite_drivers.ble.peer import TABLE, TASKS_MAX

OTHER = "A4:C1:38:00:11:33"


def test_a_value_is_read_by_scan_connection_and_discovery():
    world = World()
    number = world.submit({"temperature": temperature()})
    assert world.asked() == [("start",), ("scan",)]
    world.advertise()
    assert world.asked() == [("stop_scan",), ("connect", ADDRESS)]
    world.tell(seam.CONNECTED, ADDRESS)
    assert world.asked() == [("discover", ADDRESS)]
    world.tell(seam.DISCOVERED, ADDRESS, [TEMPERATURE], "")
    assert world.asked() == [("read", ADDRESS, 3)]
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    (result,) = world.results()
    assert (result.number, result.values, result.errors, result.answered) == (number, {"temperature": 25.06}, {}, True)


def test_a_connection_serves_the_next_request_too_and_ends_when_nobody_asks():
    world = World()
    world.submit({"temperature": temperature()})
    world.connect()
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    world.asked()
    world.wait(5_000)
    world.submit({"temperature": temperature()})
    assert world.asked() == [("read", ADDRESS, 3)]
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    world.wait(11_000)
    assert world.asked() == [("disconnect", ADDRESS)]
    world.tell(seam.DISCONNECTED, ADDRESS, "ended")
    assert len(world.results()) == 2
    world.wait(1_000)
    assert world.asked() == []


def test_properties_of_one_characteristic_are_read_at_once():
    world = World()
    low = visitor("INT", characteristicUUID="2A6E", type="uint8")
    high = visitor("INT", characteristicUUID="2A6E", type="uint8", offset=1)
    world.submit({"low": low, "high": high})
    world.connect()
    assert world.asked() == [("read", ADDRESS, 3)]
    world.tell(seam.READ, ADDRESS, 3, b"\x01\x02", "")
    assert world.results()[0].values == {"low": 1, "high": 2}


def test_what_is_written_is_encoded_and_confirmed():
    world = World()
    period = visitor("INT", True, characteristicUUID="2A21", type="uint16")
    number = world.submit({"period": period}, None, 300)
    world.connect()
    assert world.asked() == [("write", ADDRESS, 6, b"\x2c\x01", True)]
    world.tell(seam.WRITTEN, ADDRESS, 6, "")
    (result,) = world.results()
    assert (result.number, result.values, result.errors, result.answered) == (number, {}, {}, True)


def test_a_characteristic_that_takes_no_confirmed_write_is_written_without():
    world = World()
    world.submit({"alarm": visitor("INT", True, characteristicUUID="2A06", type="uint8")}, None, 2)
    world.connect()
    assert world.asked() == [("write", ADDRESS, ALARM.handle, b"\x02", False)]


def test_errors_of_one_property_leave_the_others():
    world = World()
    world.submit(
        {
            "temperature": temperature(),
            "missing": visitor("INT", characteristicUUID="2A00", type="uint8"),
            "secret": visitor("INT", characteristicUUID="2A99", type="uint8"),
            "wide": visitor("INT", characteristicUUID="2A21", type="uint32"),
        }
    )
    world.connect()
    held = {3: b"\xca\x09", 6: b"\x01\x02"}
    for _ in range(2):  # in whichever order they are asked for
        handle = world.asked()[-1][2]
        world.tell(seam.READ, ADDRESS, handle, held[handle], "")
    (result,) = world.results()
    assert result.answered and result.values == {"temperature": 25.06}
    assert result.errors == {
        "missing": "the device has no characteristic 00002a00-0000-1000-8000-00805f9b34fb",
        "secret": "the characteristic cannot be read",
        "wide": "the value has 2 bytes, 4 are needed",
    }


def test_a_read_that_the_device_refuses_is_the_propertys_error():
    world = World()
    world.submit({"temperature": temperature()})
    world.connect()
    world.tell(seam.READ, ADDRESS, 3, None, "ATT error 5: insufficient authentication")
    (result,) = world.results()
    assert result.answered and result.errors == {"temperature": "ATT error 5: insufficient authentication"}


def test_a_value_longer_than_any_attribute_is_refused():
    world = World()
    world.submit({"raw": visitor("BYTES", characteristicUUID="2A6E")})
    world.connect()
    world.tell(seam.READ, ADDRESS, 3, b"x" * 513, "")
    assert world.results()[0].errors == {"raw": "the device sent more than 512 bytes"}


def test_a_device_that_is_not_there_costs_the_others_no_attempt():
    world = World()
    absent = world.submit({"temperature": temperature()}, {"macAddress": OTHER})
    present = world.submit({"temperature": temperature()})
    world.connect()
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    assert [result.number for result in world.results()] == [present]
    world.wait(10_000)
    (result,) = world.results()
    assert (result.number, result.answered) == (absent, False)
    assert result.errors == {"temperature": "not seen within 10000 ms"}
    assert ("connect", OTHER) not in world.asked()
    again = world.submit({"temperature": temperature()}, {"macAddress": OTHER})
    (result,) = world.results()  # at once, with the same text
    assert (result.number, result.errors) == (again, {"temperature": "not seen within 10000 ms"})


def test_a_device_that_was_away_is_read_as_soon_as_it_is_seen_again():
    world = World()
    world.submit({"temperature": temperature()})
    world.wait(10_000)
    world.listen({"rssi": visitor("INT", advertisement="rssi")}, {"macAddress": OTHER})  # somebody scans
    world.results()
    world.advertise()
    number = world.submit({"temperature": temperature()})
    world.connect()
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    assert [(one.number, one.values) for one in world.results()] == [(number, {"temperature": 25.06})]


def test_a_device_that_disconnects_amid_a_read_is_offline_and_tried_again_after_a_pause():
    world = World()
    world.submit({"temperature": temperature()})
    world.connect()
    world.asked()
    world.tell(seam.DISCONNECTED, ADDRESS, "connection timed out")
    (result,) = world.results()
    assert not result.answered and result.errors == {"temperature": "connection timed out"}
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")  # too late
    assert world.results() == []
    world.submit({"temperature": temperature()})
    assert not world.results()[0].answered and world.asked() == []
    world.wait(1_000)
    world.submit({"temperature": temperature()})
    world.connect()
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    assert world.results()[0].values == {"temperature": 25.06}


def test_a_device_that_does_not_answer_is_disconnected_so_that_its_late_answer_is_nobodys():
    world = World()
    world.submit({"temperature": temperature()})
    world.connect()
    world.asked()
    world.wait(5_000)
    (result,) = world.results()
    assert not result.answered and result.errors == {"temperature": "no answer within 5000 ms"}
    assert world.asked() == [("disconnect", ADDRESS)]
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    assert world.results() == []


def test_a_connection_that_does_not_come_is_given_up():
    world = World()
    world.submit({"temperature": temperature()})
    world.advertise()
    world.asked()
    world.wait(10_000)
    (result,) = world.results()
    assert result.errors == {"temperature": "no connection within 10000 ms"}
    assert ("disconnect", ADDRESS) in world.asked()


def test_pauses_double_while_connections_fail():
    world = World()
    starts = []
    for _ in range(2_000):
        world.submit({"temperature": temperature()})
        world.advertise()
        if ("connect", ADDRESS) in world.asked():
            starts.append(world.now_ms)
            world.tell(seam.DISCONNECTED, ADDRESS, "refused")
        world.wait(100)
        world.results()
    pauses = [starts[index] - starts[index - 1] for index in range(1, len(starts))]
    assert 5 <= len(starts) <= 12 and pauses == sorted(pauses) and pauses[0] <= 1_100 and pauses[-1] >= 30_000, pauses


def test_one_connection_is_made_at_a_time_and_the_scan_rests_meanwhile():
    world = World()
    world.submit({"temperature": temperature()})
    world.submit({"temperature": temperature()}, {"macAddress": OTHER})
    world.advertise(ADDRESS)
    world.advertise(OTHER)
    assert [one for one in world.asked() if one[0] == "connect"] == [("connect", ADDRESS)]
    assert not world.central.is_scanning
    world.tell(seam.CONNECTED, ADDRESS)
    assert ("connect", OTHER) in world.asked()


def test_no_more_connections_than_the_radio_holds_and_an_idle_one_makes_room():
    world = World()
    addresses = ["A4:C1:38:00:00:%02X" % index for index in range(5)]
    for address in addresses:
        world.submit({"temperature": temperature()}, {"macAddress": address})
    for address in addresses[:4]:
        world.connect(address)
    world.asked()
    world.advertise(addresses[4])
    assert world.asked() == [("stop_scan",)]  # all four are busy
    world.tell(seam.READ, addresses[1], 3, b"\xca\x09", "")
    assert world.asked() == [("disconnect", addresses[1])]
    world.tell(seam.DISCONNECTED, addresses[1], "ended")
    assert ("connect", addresses[4]) in world.asked()


def test_a_notified_value_is_a_result_and_the_value_at_the_start_is_read():
    world = World()
    number = world.listen({"temperature": temperature(notify=True)})
    world.connect()
    assert world.asked() == [("subscribe", ADDRESS, 3, True)]
    world.tell(seam.SUBSCRIBED, ADDRESS, 3, "")
    assert world.asked() == [("read", ADDRESS, 3)]
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    world.tell(seam.NOTIFIED, ADDRESS, 3, b"\xcb\x09")
    world.tell(seam.NOTIFIED, ADDRESS, 3, b"\x01")
    results = world.results()
    assert [(one.number, one.values) for one in results[:2]] == [
        (number, {"temperature": 25.06}),
        (number, {"temperature": 25.07}),
    ]
    assert results[2].errors == {"temperature": "the value has 1 bytes, 2 are needed"}
    world.wait(100_000)
    assert ("disconnect", ADDRESS) not in world.asked()  # it is held for the notifications


def test_a_listener_is_told_once_that_the_device_is_gone_and_gets_it_back_by_itself():
    world = World()
    number = world.listen({"temperature": temperature(notify=True)})
    world.connect()
    world.tell(seam.SUBSCRIBED, ADDRESS, 3, "")
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    world.results()
    world.tell(seam.DISCONNECTED, ADDRESS, "connection timed out")
    world.wait(60_000)
    (result,) = world.results()
    assert (result.number, result.answered, result.errors) == (
        number,
        False,
        {"temperature": "connection timed out"},
    )
    world.connect()
    world.tell(seam.SUBSCRIBED, ADDRESS, 3, "")
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    assert world.results()[0].values == {"temperature": 25.06}


def test_a_subscription_that_is_refused_and_one_that_cannot_be():
    world = World()
    world.listen(
        {
            "temperature": temperature(notify=True),
            "period": visitor("INT", characteristicUUID="2A21", type="uint8", notify=True),
        }
    )
    world.connect()
    world.tell(seam.SUBSCRIBED, ADDRESS, 3, "ATT error 3: write not permitted")
    errors = {}
    for result in world.results():
        errors.update(result.errors)
    assert errors == {
        "period": "the characteristic cannot notify",
        "temperature": "ATT error 3: write not permitted",
    }


def test_ignoring_ends_the_subscription_and_then_the_connection():
    world = World()
    number = world.listen({"temperature": temperature(notify=True)})
    world.connect()
    world.tell(seam.SUBSCRIBED, ADDRESS, 3, "")
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    world.asked()
    world.central.ignore(number, world.now_ms)
    world.settle()
    assert world.asked() == [("subscribe", ADDRESS, 3, False)]
    world.tell(seam.SUBSCRIBED, ADDRESS, 3, "")
    world.wait(10_000)
    assert world.asked() == [("disconnect", ADDRESS)]


def test_without_an_adapter_each_request_says_so_and_it_is_looked_for_again():
    world = World()
    world.radio.start = lambda: world.radio.tell(seam.DOWN, "no adapter")
    number = world.submit({"temperature": temperature()})
    listener = world.listen({"rssi": visitor("INT", advertisement="rssi")}, {"macAddress": OTHER})
    results = {result.number: result for result in world.results()}
    assert results[number].errors == {"temperature": "no Bluetooth: no adapter"} and not results[number].answered
    assert results[listener].errors == {"rssi": "no Bluetooth: no adapter"}
    world.radio.start = lambda: world.radio.tell(seam.UP)
    world.wait(2_000)
    world.advertise(OTHER)
    assert world.results()[-1].values == {"rssi": -60}


def test_an_adapter_that_goes_takes_the_connections_with_it():
    world = World()
    number = world.submit({"temperature": temperature()})
    world.connect()
    world.tell(seam.DOWN, "the adapter is gone")
    (result,) = world.results()
    assert (result.number, result.errors) == (number, {"temperature": "no Bluetooth: the adapter is gone"})


def test_requests_of_one_device_and_devices_are_bounded():
    world = World()
    for _ in range(TASKS_MAX + 1):
        last = world.submit({"temperature": temperature()})
    (result,) = world.results()
    assert result.number == last and "more than 64 requests" in result.errors["temperature"]
    world = World()
    for index in range(PEERS_MAX + 1):
        last = world.submit({"temperature": temperature()}, {"name": "device %d" % index})
    (result,) = world.results()
    assert result.number == last and result.errors == {"temperature": "more than 64 Bluetooth devices"}
    world.wait(60_000)  # what is not asked for any more makes room
    assert world.submit({"temperature": temperature()}, {"name": "another"}) and len(world.results()) == PEERS_MAX


def test_results_that_nobody_takes_are_joined():
    world = World()
    world.listen({"temperature": temperature(notify=True)})
    world.connect()
    world.tell(seam.SUBSCRIBED, ADDRESS, 3, "")
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    for _ in range(2 * RESULTS_MAX):
        world.tell(seam.NOTIFIED, ADDRESS, 3, b"\xcb\x09")
    assert len(world.results()) <= RESULTS_MAX


def test_no_answer_is_taken_that_nobody_waits_for():
    world = World()
    world.submit({"temperature": temperature()})
    world.connect()
    for event in (
        (seam.READ, OTHER, 3, b"\xca\x09", ""),
        (seam.READ, ADDRESS, PERIOD.handle, b"\xca\x09", ""),
        (seam.WRITTEN, ADDRESS, 3, ""),
        (seam.SUBSCRIBED, ADDRESS, SECRET.handle, ""),
        (seam.NOTIFIED, OTHER, 3, b""),
        (seam.CONNECTED, OTHER),
        (seam.DISCOVERED, ADDRESS, [], ""),
        (seam.DISCONNECTED, OTHER, ""),
        (seam.UP,),
    ):
        world.tell(*event)
        assert world.results() == []
    world.tell(seam.READ, ADDRESS, 3, b"\xca\x09", "")
    assert world.results()[0].values == {"temperature": 25.06}


def test_the_table_has_no_state_without_a_way_out():
    all_states = {state for state, _ in TABLE} | {cell[0] for cell in TABLE.values()}
    for state in all_states:
        assert any(row[0] == state and TABLE[row][0] != state for row in TABLE), state
    for state in (states.SEEKING, states.WAITING, states.CONNECTING, states.DISCOVERING, states.OPEN, states.LEAVING):
        assert (state, states.LATE) in TABLE, state
