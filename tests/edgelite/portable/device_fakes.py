"""What the devices are given in tests: a context that notes what goes out, and a driver without a wire."""

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.driver import Bus, ConfigurationError, Result
from edgelite_protocol import messages


class FakeJournal:
    generation = 7

    def __init__(self):
        self.kept = {}
        self.writes = 0

    def get(self, space, key):
        return self.kept.get((space, key))

    def keys(self, space):
        return [key for kept_space, key in self.kept if kept_space == space]

    def write(self, changes):
        self.writes += 1
        for change in changes:
            if change[0] == "put":
                self.kept[(change[1], change[2])] = change[3]
            else:
                self.kept.pop((change[1], change[2]), None)
        return self.writes


class Recorder:
    """A Context whose effects and reports are kept in lists."""

    def __init__(self, journal=None):
        self.effects = []
        self.reports = []
        self.journal = journal or FakeJournal()
        self.context = Context(
            self.journal,
            self.effects.append,
            self._report,
            Clock(b"\1" * 16),
            lambda count: b"\x80" * count,
            b"\1" * 16,
        )

    def _report(self, lane, body, coalesce_key):
        self.reports.append((lane, body, coalesce_key))

    def take(self, kind):
        """The bodies of one kind since the last take."""
        bodies = [body for _, body, _ in self.reports if body[messages.REPORT] == kind]
        self.reports = [report for report in self.reports if report[1][messages.REPORT] != kind]
        return bodies

    def telemetry(self):
        return [body[messages.TELEMETRY_VALUES] for body in self.take(messages.REPORT_TELEMETRY)]

    def twins(self):
        return self.take(messages.REPORT_TWIN)

    def states(self):
        return [
            (body[messages.DEVICE_STATE], body.get(messages.DEVICE_STATE_REASON, ""))
            for body in self.take(messages.REPORT_DEVICE)
        ]


class FakeBus(Bus):
    """Answers a request when `answer` is called, or at once where `automatic`; `holds` is the device's memory."""

    def __init__(self, holds):
        self.holds = holds
        self.errors = {}
        self.requests = []
        self.writes = []
        self.results = []
        self.automatic = True
        self.silent = False
        self.clamp = None

    def submit(self, request, now_ms):
        self.requests.append(request)
        if self.automatic:
            self.answer(now_ms)

    def answer(self, now_ms):
        request = self.requests.pop(0)
        values = {}
        errors = {}
        for name in request.visitors:
            if self.silent:
                errors[name] = "no answer within 1000 ms"
            elif name in self.errors:
                errors[name] = self.errors[name]
            elif request.value is None:
                values[name] = self.holds[name]
            else:
                self.writes.append((name, request.value))
                self.holds[name] = request.value if self.clamp is None else min(request.value, self.clamp)
        self.results.append(Result(request.number, values, errors, not self.silent, now_ms))

    def next_result(self):
        return self.results.pop(0) if self.results else None

    def step(self, now_ms):
        return None

    def wants_open(self, now_ms):
        return False


class FakeDriver:
    NAME = "fake"

    def __init__(self, holds):
        self.bus = FakeBus(holds)

    def check_protocol(self, config):
        if config.get("bad"):
            raise ConfigurationError("protocol.configData.bad", "must not be")
        return config

    def check_visitor(self, config, property):
        if config.get("offset", 0) < 0:
            raise ConfigurationError("visitors.configData.offset", "must not be negative")
        return config

    def target(self, protocol):
        return ("tcp", protocol.get("ip", "127.0.0.1"), 502)

    def make_bus(self, target, random_bytes):
        return self.bus

    def same_value(self, visitor, one, other):
        return one == other


def property_row(name, property_type="INT", **options):
    row = {
        messages.PROPERTY_NAME: name,
        messages.PROPERTY_TYPE: property_type,
        messages.PROPERTY_WRITABLE: options.get("writable", False),
        messages.PROPERTY_VISITOR: options.get("visitor", {}),
        messages.PROPERTY_COLLECT_MS: options.get("collect_ms", 1000),
        messages.PROPERTY_REPORT_MS: options.get("report_ms", 0),
        messages.PROPERTY_REPORT_TO_CLOUD: options.get("report_to_cloud", True),
    }
    for key, option in (
        (messages.PROPERTY_DESIRED, "desired"),
        (messages.PROPERTY_DESIRED_VERSION, "desired_version"),
        (messages.PROPERTY_MINIMUM, "minimum"),
        (messages.PROPERTY_MAXIMUM, "maximum"),
        (messages.PROPERTY_DEADBAND, "deadband"),
        (messages.PROPERTY_DEADBAND_PERCENT, "deadband_percent"),
        (messages.PROPERTY_WINDOW_MS, "window_ms"),
        (messages.PROPERTY_WINDOW_FUNCTIONS, "window_functions"),
        (messages.PROPERTY_DESIRED_TIME, "desired_time"),
        (messages.PROPERTY_DESIRED_EXPIRES, "desired_expires"),
        (messages.PROPERTY_FAIL_SAFE, "fail_safe"),
        (messages.PROPERTY_FAIL_SAFE_MS, "fail_safe_ms"),
    ):
        if options.get(option) is not None:
            row[key] = options[option]
    return row


def device_map(rows, driver="fake", protocol=None, uid="u-1"):
    return {
        messages.DEVICE_UID: uid,
        messages.DEVICE_NAMESPACE: "default",
        messages.DEVICE_NAME: "meter",
        messages.DEVICE_DRIVER: driver,
        messages.DEVICE_PROTOCOL: protocol or {},
        messages.DEVICE_PROPERTIES: rows,
        messages.DEVICE_GENERATION: 1,
    }
