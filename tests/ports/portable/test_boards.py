"""What ESP32 and RP2 boards do with `machine` and `network`: on fakes that hold them to the modules' documented
contract. Nothing here ran on the chips themselves."""

import os

from edgelite.config import parse as parse_config
from edgelite.driver import ConfigurationError
from edgelite.effects import Channel, Open
from edgelite_ports.common.state import NotJoinedError
from edgelite_ports.micropython.boards import agent, network_board, wifi
from edgelite_ports.micropython.boards.clock import TickClock
from edgelite_ports.micropython.boards.esp32.board import Esp32Board
from edgelite_ports.micropython.boards.rp2.board import Rp2Board
from edgelite_ports.micropython.boards.uart_line import Lines
from edgelite_ports.testing import MemoryStorage
from edgelite_protocol.errors import CorruptionError, PlatformError

WRAP_MS = 1 << 30  # of the ticks on a port with 31-bit small integers


class Clock:
    """time, as MicroPython has it on a board."""

    def __init__(self, now_ms=0):
        self.now_ms = now_ms

    def ticks_ms(self):
        return self.now_ms % WRAP_MS

    def ticks_diff(self, end, start):
        return (end - start + WRAP_MS // 2) % WRAP_MS - WRAP_MS // 2

    def sleep_ms(self, duration_ms):
        self.now_ms += duration_ms


class Heap:
    def collect(self):
        return 0

    def mem_alloc(self):
        return 90_000

    def mem_free(self):
        return 60_000

    def threshold(self, size_bytes):
        assert 0 < size_bytes < 60_000


class System:
    def uname(self):
        return ("esp32", "esp32", "1.25.0", "v1.25.0 on 2025-04-15", "Generic ESP32 module with ESP32")

    def urandom(self, count):
        return os.urandom(count)


class Uart:
    """machine.UART(id, baudrate=..., ...): what it takes at once is bounded by its buffer."""

    def __init__(self, number, **options):
        assert set(options) <= {"baudrate", "bits", "parity", "stop", "tx", "rx", "timeout", "txbuf", "rxbuf"}
        assert options["bits"] in (7, 8) and options["parity"] in (None, 0, 1) and options["stop"] in (1, 2)
        self.number = number
        self.options = options
        self.arrived = b""
        self.sent = b""
        self.room = 1 << 20
        self.is_open = True

    def read(self, size_bytes):
        assert self.is_open and size_bytes > 0
        data, self.arrived = self.arrived[:size_bytes], self.arrived[size_bytes:]
        return data or None

    def write(self, data):
        assert self.is_open and len(data) > 0
        taken = bytes(data)[: self.room]
        self.sent += taken
        self.room -= len(taken)
        return len(taken) or None

    def deinit(self):
        assert self.is_open
        self.is_open = False


class Watchdog:
    def __init__(self, timeout):
        self.timeout = timeout
        self.fed = 0

    def feed(self):
        self.fed += 1


class Machine:
    """machine: what was made of it, and whether the board was reset."""

    def __init__(self):
        self.uarts = []
        self.watchdogs = []
        self.resets = 0

    def UART(self, number, **options):
        self.uarts.append(Uart(number, **options))
        return self.uarts[-1]

    def Pin(self, number):
        assert isinstance(number, int)
        return ("pin", number)

    def WDT(self, timeout):
        assert 0 < timeout <= 8388 or timeout == 30_000, "the RP2's counts to 8,388 ms"
        self.watchdogs.append(Watchdog(timeout))
        return self.watchdogs[-1]

    def reset(self):
        self.resets += 1


class Station:
    """network.WLAN(STA_IF)."""

    def __init__(self):
        self.calls = []
        self.is_up = False
        self.fails = False

    def isconnected(self):
        return self.is_up

    def active(self, value):
        assert value is True
        self.calls.append("active")

    def connect(self, *words):
        if self.fails:
            raise OSError("Wifi Internal Error")
        self.calls.append(words)

    def disconnect(self):
        self.calls.append("disconnect")

    def ifconfig(self):
        assert self.is_up
        return ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.53")


class Loop:
    def __init__(self, clock):
        self.clock = clock
        self.handlers = {}
        self.wanted = {}
        self.waits = []

    def register(self, pollable, events, handler):
        self.handlers[id(pollable)] = handler
        self.wanted[id(pollable)] = events

    def modify(self, pollable, events):
        self.wanted[id(pollable)] = events

    def unregister(self, pollable):
        del self.handlers[id(pollable)]

    def wait(self, deadline_ms):
        self.waits.append(deadline_ms)
        self.clock.now_ms += 10
        for handler in list(self.handlers.values()):
            handler(1)


class Recorder(Channel):
    def __init__(self, to_send=b""):
        self.to_send = to_send
        self.events = []

    def opened(self, now_ms):
        self.events.append("opened")

    def received(self, data, now_ms):
        self.events.append(bytes(data))

    def data_to_send(self, size_bytes_max):
        data, self.to_send = self.to_send[:size_bytes_max], self.to_send[size_bytes_max:]
        return data

    def closed(self, reason, now_ms):
        self.events.append(reason)


class Bench:
    """A board on fakes; the modules get their own back by `close`."""

    def __init__(self, make=Esp32Board, config="", files=None):
        self.clock = Clock(WRAP_MS - 50)
        self.kept = (network_board.time, network_board.gc, network_board.os, agent.gc, network_board.Loop)
        network_board.time, network_board.gc, network_board.os = self.clock, Heap(), System()
        agent.gc = Heap()
        network_board.Loop = lambda now_ms: Loop(self.clock)
        self.machine = Machine()
        self.board = make(self.machine, None)
        self.flash = MemoryStorage(256 * 1024)
        self.board.storage = lambda: self.flash
        there = {"/edgelite/agent.conf": config.encode()}
        there.update(files or {})
        self.board.state._files = Files(there)
        self.lines = []
        self.board.log = lambda level, text: self.lines.append(level + ": " + text)

    def close(self):
        network_board.time, network_board.gc, network_board.os, agent.gc, network_board.Loop = self.kept


class Files:
    def __init__(self, files):
        self.files = files

    def is_missing(self, path):
        return not self.files.get(path)

    def read_bytes(self, path, size_bytes_max):
        return self.files[path]


SERIAL = (
    "node = attic\nlink = serial:uart1/17/16:57600\nsegment_bytes = 4096\njournal_bytes_max = 65536\n"
    "telemetry_bytes_max = 32768\n"
)
KEYS = b"sender_id = Fw8J3g==\nrecipient_id =\nmaster_secret = 0OSVy4m6cX0Eb2oJZIWHEA==\nmaster_salt = nnyoRtrQ6uM=\n"


def with_bench(test, **options):
    bench = Bench(**options)
    try:
        test(bench)
    finally:
        bench.close()


# ---- the clock


def test_the_clock_passes_the_end_of_the_ticks():
    ticks = Clock(WRAP_MS - 5)
    clock = TickClock(ticks.ticks_ms, ticks.ticks_diff)
    assert clock() == 0
    for step_ms in (3, 4, 100, WRAP_MS // 2 - 1, WRAP_MS // 2 - 1, 7):
        before = clock()
        ticks.now_ms += step_ms
        assert clock() == before + step_ms


# ---- the whole agent


def test_the_agent_opens_its_line_and_feeds_the_watchdog():
    def run(bench):
        it = agent.Agent(bench.board)
        it.open()
        for _ in range(20):
            it.turn()
        uart = bench.machine.uarts[0]
        assert uart.number == 1 and uart.options["baudrate"] == 57600
        assert (uart.options["tx"], uart.options["rx"]) == (("pin", 17), ("pin", 16))
        assert uart.sent.startswith(b"\0") and len(uart.sent) > 10, "the line's first packet"
        dog = bench.machine.watchdogs
        assert len(dog) == 1 and dog[0].fed == 20
        latest = [wait - bench.clock.now_ms for wait in bench.board.loop.waits if wait is not None]
        assert max(latest) <= dog[0].timeout // 2, "no wait is longer than half of what the watchdog waits"
        capabilities = it.node._platform.capabilities
        assert capabilities["runtimes"] == ["task"] and "runtime-process" in capabilities["cannot"]

    for make in (Esp32Board, Rp2Board):
        with_bench(run, make=make, config=SERIAL, files={"/edgelite/oscore.conf": KEYS})


def test_what_a_person_must_do_leaves_the_prompt_and_what_a_start_may_cure_resets():
    def unprovisioned(bench):
        agent.run_board(bench.board)
        assert bench.machine.resets == 0 and "edgelite join" in bench.lines[-1]

    def damaged(bench):
        def storage():
            raise CorruptionError("journal", "is something else")

        bench.board.storage = storage
        agent.run_board(bench.board)
        assert bench.machine.resets == 1 and "starts anew" in bench.lines[-1]

    def bug(bench):
        bench.board.connections = None
        agent.run_board(bench.board)
        assert bench.machine.resets == 1 and "failed" in bench.lines[-1]

    with_bench(unprovisioned)
    with_bench(damaged, config=SERIAL, files={"/edgelite/oscore.conf": KEYS})
    with_bench(bug, config=SERIAL, files={"/edgelite/oscore.conf": KEYS})


def test_keys_that_are_missing_are_asked_for():
    def run(bench):
        try:
            agent.Agent(bench.board)
        except NotJoinedError:
            return
        raise AssertionError("it needs keys")

    with_bench(run, config=SERIAL)


def test_a_board_without_a_radio_says_so():
    def run(bench):
        try:
            agent.Agent(bench.board)
        except ConfigurationError as error:
            assert "link = serial" in str(error)
            return
        raise AssertionError("there is no network")

    with_bench(run, make=Rp2Board, config="node = n\nhub = h\n")


def test_a_flash_that_is_too_small_is_told_at_the_first_start():
    config = parse_config(SERIAL)
    agent.check_room(MemoryStorage(18 * 4096), config)
    full = MemoryStorage(18 * 4096)
    full.create("s00000001.seg", 4096)
    agent.check_room(full, config)
    try:
        agent.check_room(MemoryStorage(17 * 4096), config)
    except PlatformError as error:
        assert "69632" in error.text and "73728" in error.text and "--flash-bytes" in error.advice
    else:
        raise AssertionError("it does not fit")


# ---- lines


def test_lines_have_names():
    assert network_board.parse_line("uart0") == (0, None)
    assert network_board.parse_line("uart1/4/5") == (1, (4, 5))
    for bad in ("uart", "uart1/4", "/dev/ttyS0", "uart1/a/b", "uartx", "uart1/1/2/3"):
        try:
            network_board.parse_line(bad)
        except ValueError as error:
            assert "uart1/TX/RX" in str(error)
        else:
            raise AssertionError(bad)


def test_settings_of_a_line_reach_the_uart():
    def run(bench):
        uart = bench.board.open_uart("uart2", {"baud": 9600, "data_bits": 7, "parity": "even", "stop_bits": 2})
        options = uart.options
        assert (options["baudrate"], options["bits"], options["parity"], options["stop"]) == (9600, 7, 0, 2)
        assert options["timeout"] == 0, "a read must not wait"

    with_bench(run)


def make_lines(fails=None):
    clock = Clock()
    loop = Loop(clock)
    opened = []

    def open_uart(path, settings):
        if fails is not None:
            raise fails
        opened.append(Uart(1, baudrate=settings["baud"], bits=8, parity=None, stop=1))
        return opened[-1]

    return Lines(loop, open_uart, clock.ticks_ms), loop, opened


def test_a_channel_on_a_line():
    lines, loop, opened = make_lines()
    channel = Recorder(b"x" * 600)
    lines.open(Open(channel, ("serial", "uart1", {"baud": 9600})))
    uart = opened[0]
    uart.room = 300
    lines.step(0)
    assert len(uart.sent) == 300 and loop.wanted[id(uart)] & 4, "it waits until the UART takes more"
    uart.room = 1000
    loop.handlers[id(uart)](4)
    assert uart.sent == b"x" * 600 and loop.wanted[id(uart)] == 1
    uart.arrived = b"answer"
    loop.wait(0)
    assert channel.events == ["opened", b"answer"]
    channel.to_send = b"last words"
    lines.close(channel)
    assert uart.sent.endswith(b"last words") and not uart.is_open and loop.handlers == {}
    assert channel.events[-1] == "closed"
    lines.close(channel)
    assert channel.events.count("closed") == 1


def test_other_settings_hold_once_what_was_sent_has_left_the_line():
    lines, loop, opened = make_lines()
    channel = Recorder(b"")
    lines.open(Open(channel, ("serial", "uart1", {"baud": 300})))
    channel.to_send = b"x" * 30
    lines.configure(channel, {"baud": 9600})
    channel.to_send = b"new"
    assert opened[0].sent == b"x" * 30 and len(opened) == 1
    deadline_ms = lines.step(500)
    assert 1000 <= deadline_ms <= 1300, "30 bytes at 300 baud take a second"
    assert len(opened) == 1 and opened[0].sent == b"x" * 30
    lines.step(deadline_ms)
    assert not opened[0].is_open and opened[1].options["baudrate"] == 9600
    assert opened[1].sent == b"new"
    opened[1].arrived = b"answer"
    loop.wait(0)
    assert channel.events == ["opened", b"answer"]


def test_a_line_that_cannot_be_opened_and_a_board_without_a_network():
    lines, _, _ = make_lines(ValueError("no such UART"))
    for target, words in ((("serial", "uart9", {"baud": 9600}), "no such UART"), (("tcp", "h", 1), "no network")):
        channel = Recorder()
        lines.open(Open(channel, target))
        assert len(channel.events) == 1 and words in channel.events[0]
    channel = Recorder()
    lines.open(Open(channel, ("serial", "uart1", {"baud": 9600, "rs485": {}})))
    assert "no RS-485 mode" in channel.events[0]
    assert lines.step(5) == 5 or lines.step(5) is None


# ---- the wireless network


def radio(password="secret word"):
    station, told = Station(), []
    made = wifi.Wifi(station, "home", password, lambda count: b"\x80" * count, lambda level, text: told.append(text))
    return made, station, told


def test_wifi_comes_up_and_comes_back():
    made, station, told = radio()
    assert made.step(0) == 500, "an answer should not wait"
    assert station.calls == ["active", ("home", "secret word")]
    station.is_up = True
    assert made.step(500) == 500 + wifi.LOOK_MS and made.name_server() == "192.0.2.53"
    station.is_up = False
    made.step(6000)
    assert station.calls[-1] == ("home", "secret word") and made.name_server() == ""
    assert told == ["the wireless network is there: 192.0.2.7", "the wireless network is gone"]


def test_wifi_that_does_not_answer_is_tried_ever_more_rarely():
    made, station, _ = radio("")
    now_ms, tries = 0, []
    while now_ms < 600_000:
        before = station.calls.count(("home",))
        now_ms = made.step(now_ms)
        if station.calls.count(("home",)) > before:
            tries.append(now_ms)
    assert 8 < len(tries) < 25 and station.calls.count("disconnect") >= len(tries) - 1
    assert tries[-1] - tries[-2] > tries[1] - tries[0]


def test_a_radio_that_fails_is_no_harm():
    made, station, told = radio()
    station.fails = True
    now_ms = made.step(0)
    assert now_ms > 0 and "Wifi Internal Error" in told[0]
    station.fails = False
    made.step(now_ms)
    assert station.calls[-1] == ("home", "secret word")


def test_the_file_of_the_network():
    assert wifi.parse("ssid = a b\npassword = p = q\n") == ("a b", "p = q")
    assert wifi.parse("password =\nssid = open") == ("open", "")
    for bad in ("", "password = x", "ssid = a\nssid = b", "ssid a", "ssid =", "name = x"):
        try:
            wifi.parse(bad)
        except ConfigurationError as error:
            assert "wifi.conf" in str(error)
        else:
            raise AssertionError(bad)
