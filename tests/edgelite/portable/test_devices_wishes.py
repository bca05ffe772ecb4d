"""Whose word counts at a device: the hub's, somebody's at this node, or the fail-safe value; over time and restarts."""

from device_fakes import FakeDriver, FakeJournal, Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.devices import desired as d
from edgelite.devices.hub_loss import BACK_MS, RESTART_MS
from edgelite_protocol import messages

KEY = "default/boiler"
HOUR_MS = 3_600_000
NOON = 1_767_225_600_000  # by the hub's clock


class Site:
    """A boiler whose set point somebody may turn; `restart` is a power cut of the node, or an end of its agent."""

    def __init__(self, **options):
        self.holds = {"p": 1}
        self.journal = FakeJournal()
        self.boot_id = b"\1" * 16
        self.wish = dict(options)
        self.start(0)

    def start(self, now_ms):
        self.recorder = Recorder(self.journal)
        self.recorder.context.boot_id = self.boot_id
        self.clock = self.recorder.context.clock
        self.driver = FakeDriver(self.holds)
        self.devices = Devices(self.recorder.context, lambda name: self.driver)
        self.is_live = False
        self.send(now_ms)

    def restart(self, now_ms, is_boot=False):
        if is_boot:
            self.boot_id = bytes([self.boot_id[0] + 1] * 16)
        self.start(now_ms)

    def send(self, now_ms, **wish):
        """The hub's entry, as it comes over the link or out of the journal."""
        self.wish.update(wish)
        row = property_row("p", writable=True, **self.wish)
        self.devices.set_desired(KEY, device_map([row]), now_ms)

    def run(self, from_ms, to_ms, step_ms=1000):
        for now_ms in range(from_ms, to_ms, step_ms):
            self.devices.link(self.is_live, now_ms)
            self.devices.step(now_ms)

    @property
    def desired(self):
        return self.devices.view(KEY).twins["p"].desired

    def stands(self):
        return (self.desired.origin, self.desired.text, self.desired.state, self.holds["p"])


# ---- the hub and somebody here


def test_what_somebody_here_desired_stands_until_the_hub_has_a_new_wish():
    site = Site(desired="5", desired_version=1, desired_time=NOON)
    site.run(0, 3000)
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)
    site.devices.want_locally(KEY, "p", "7", 3000)
    site.run(3000, 6000)
    assert site.stands() == (d.LOCAL, "7", d.SETTLED, 7)
    site.send(6000)
    site.run(6000, 9000)
    assert site.holds["p"] == 7, "the same entry again is no new wish"
    site.send(9000, desired_version=2, desired_time=NOON + 9000)
    site.run(9000, 12_000)
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)


def test_the_hub_is_told_whose_word_counts():
    site = Site(desired="5", desired_version=1, desired_time=NOON)
    site.run(0, 3000)
    site.devices.want_locally(KEY, "p", "7", 3000)
    site.run(3000, 6000)
    told = [(body.get(messages.TWIN_DESIRED), body.get(messages.TWIN_DESIRED_ORIGIN)) for body in site.recorder.twins()]
    assert told[0] == ("5", None) and told[-1] == ("7", "local")


def test_a_local_value_stands_over_a_power_cut():
    site = Site(desired="5", desired_version=1, desired_time=NOON)
    site.run(0, 3000)
    site.devices.want_locally(KEY, "p", "7", 3000)
    site.run(3000, 6000)
    site.restart(0, is_boot=True)
    site.run(0, 10_000)
    assert site.holds["p"] == 7 and site.driver.bus.writes == []
    assert site.desired.origin == d.LOCAL


def test_a_local_value_that_could_not_be_written_is_written_after_a_power_cut():
    site = Site()
    site.run(0, 1000)
    site.driver.bus.silent = True
    site.devices.want_locally(KEY, "p", "7", 1000)
    site.run(1000, 3000)
    site.restart(0, is_boot=True)
    site.run(0, 3000)
    assert site.stands() == (d.LOCAL, "7", d.SETTLED, 7)
    site.holds["p"] = 3  # somebody turns the knob
    site.restart(3000)
    site.run(3000, 9000)
    assert site.holds["p"] == 3, "it was settled, so the knob stands"


def test_a_local_value_that_gave_way_does_not_come_back_with_a_restart():
    site = Site()
    site.run(0, 1000)
    site.driver.bus.silent = True
    site.devices.want_locally(KEY, "p", "7", 1000)
    site.run(1000, 3000)
    site.send(3000, desired="5", desired_version=1, desired_time=NOON)
    site.run(3000, 5000)
    site.send(5000, desired=None, desired_version=None, desired_time=None)
    site.run(5000, 7000)
    site.restart(0, is_boot=True)
    site.run(0, 20_000)
    assert site.stands() == (d.NOBODY, None, d.NONE, 1) and site.journal.kept == {}


def test_a_controller_that_writes_each_second_costs_no_flash_each_second():
    site = Site(desired="5", desired_version=1, desired_time=NOON)
    site.run(0, 3000)
    site.devices.want_locally(KEY, "p", "7", 3000)
    site.run(3000, 5000)
    writes = site.journal.writes
    for second in range(5, 65):
        site.devices.want_locally(KEY, "p", str(second), 1000 * second)
        site.run(1000 * second, 1000 * second + 1000, 100)
    assert site.holds["p"] == 64 and site.journal.writes == writes


def test_a_device_that_was_made_anew_under_its_name_owes_nothing_to_the_old_one():
    site = Site(desired="5", desired_version=9, desired_time=NOON)
    site.run(0, 3000)
    row = property_row("p", writable=True, desired="6", desired_version=1)
    site.devices.set_desired(KEY, device_map([row], uid="u-2"), 3000)
    site.run(3000, 6000)
    assert site.stands() == (d.HUB, "6", d.SETTLED, 6)


# ---- expiry


def test_an_expired_wish_is_not_written_and_says_so():
    site = Site(desired="5", desired_version=1, desired_time=NOON, desired_expires=NOON + 60_000)
    site.clock.learn(NOON, 0)
    site.driver.bus.silent = True
    site.run(0, 70_000)
    assert (site.desired.state, site.desired.error) == (d.EXPIRED, d.EXPIRED_TEXT)
    site.driver.bus.silent = False
    site.run(70_000, 140_000)
    assert site.holds["p"] == 1
    assert "it expired" in site.recorder.twins()[-1][messages.TWIN_ERROR]


def test_what_was_written_in_time_stays():
    site = Site(desired="5", desired_version=1, desired_time=NOON, desired_expires=NOON + 60_000)
    site.clock.learn(NOON, 0)
    site.run(0, 120_000)
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)


def test_without_the_hub_s_time_a_wish_that_may_have_expired_waits_for_it():
    site = Site(desired="5", desired_version=1, desired_time=NOON, desired_expires=NOON + 60_000)
    site.run(0, 20_000)
    assert site.holds["p"] == 1 and site.desired.error == d.UNDATED_TEXT
    site.clock.learn(NOON + 30_000, 20_000)
    site.is_live = True
    site.run(20_000, 23_000)
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)


def test_a_device_that_holds_the_value_needs_no_time():
    site = Site(desired="1", desired_version=1, desired_time=NOON, desired_expires=NOON + 60_000)
    site.run(0, 2000)
    assert site.stands() == (d.HUB, "1", d.SETTLED, 1)


def test_a_clock_that_is_known_to_be_later_decides_without_a_hub():
    site = Site(desired="5", desired_version=1, desired_time=NOON, desired_expires=NOON + 60_000)
    site.restart(0)
    site.clock.floor_ms = NOON + 2 * HOUR_MS
    site.run(0, 3000)
    assert site.desired.state == d.EXPIRED and site.holds["p"] == 1


# ---- fail-safe


def safe_site(**options):
    wish = {"desired": "5", "desired_version": 1, "desired_time": NOON, "fail_safe": "2", "fail_safe_ms": 60_000}
    wish.update(options)
    site = Site(**wish)
    site.is_live = True
    site.run(0, 10_000)
    return site


def test_a_lost_hub_brings_the_fail_safe_value_and_its_return_the_hub_s():
    site = safe_site()
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)
    site.is_live = False
    site.run(10_000, 69_000)
    assert site.holds["p"] == 5, "not yet"
    site.run(69_000, 73_000)
    assert site.stands() == (d.FAIL_SAFE, "2", d.SETTLED, 2)
    assert site.recorder.twins()[-1][messages.TWIN_DESIRED_ORIGIN] == "fail-safe"
    site.is_live = True
    site.run(80_000, 80_000 + BACK_MS)
    assert site.holds["p"] == 2, "a new wish has time to come first"
    site.run(80_000 + BACK_MS, 90_000)
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)
    assert [key for _, key in site.journal.kept] == ["=" + KEY + "/p"]


def test_the_agent_asks_to_be_woken_when_the_wait_is_over():
    site = safe_site()
    site.send(10_000, collect_ms=0)
    site.run(10_000, 12_000)
    site.devices.link(False, 20_000)
    assert site.devices.step(20_000) == 30_000, "the loss is noted then"
    assert site.devices.step(30_000) == 80_000


def test_a_new_wish_comes_before_the_old_one_is_written_again():
    site = safe_site()
    site.is_live = False
    site.run(10_000, 75_000)
    site.is_live = True
    site.run(80_000, 81_000)
    site.send(81_000, desired="9", desired_version=2, desired_time=NOON + 81_000)
    site.run(81_000, 95_000)
    assert site.stands() == (d.HUB, "9", d.SETTLED, 9)
    assert site.driver.bus.writes == [("p", 5), ("p", 2), ("p", 9)]


def test_a_link_that_flaps_does_not_make_the_device_flap_nor_put_the_fail_safe_value_off():
    site = safe_site()
    for start_ms in range(10_000, 70_000, 10_000):
        site.is_live = False
        site.run(start_ms, start_ms + 8000)
        site.is_live = True
        site.run(start_ms + 8000, start_ms + 10_000)
    site.is_live = False
    site.run(70_000, 75_000)
    assert site.stands() == (d.FAIL_SAFE, "2", d.SETTLED, 2)
    for start_ms in range(80_000, 120_000, 10_000):
        site.is_live = True
        site.run(start_ms, start_ms + 3000)
        site.is_live = False
        site.run(start_ms + 3000, start_ms + 10_000)
    assert site.driver.bus.writes == [("p", 5), ("p", 2)]


def test_who_is_at_the_machine_does_not_depend_on_the_hub():
    site = safe_site()
    site.devices.want_locally(KEY, "p", "7", 10_000)
    site.is_live = False
    site.run(10_000, 200_000)
    assert site.stands() == (d.LOCAL, "7", d.SETTLED, 7)
    safe = safe_site()
    safe.is_live = False
    safe.run(10_000, 75_000)
    safe.devices.want_locally(KEY, "p", "7", 75_000)
    safe.run(75_000, 80_000)
    safe.is_live = True
    safe.run(80_000, 100_000)
    assert safe.stands() == (d.LOCAL, "7", d.SETTLED, 7), "the hub's old wish does not come back over it"


def test_a_fail_safe_value_goes_on_over_a_restart_and_ends_when_the_hub_is_back():
    site = safe_site()
    site.is_live = False
    site.run(10_000, 75_000)
    site.restart(0, is_boot=True)
    site.run(0, 20_000)
    assert (site.desired.origin, site.holds["p"], site.driver.bus.writes) == (d.FAIL_SAFE, 2, [])
    site.is_live = True
    site.run(20_000, 30_000)
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)


def test_an_agent_that_restarts_within_a_boot_counts_on():
    site = safe_site()
    site.is_live = False
    site.run(10_000, 40_000)
    site.restart(41_000)
    site.run(41_000, 69_000)
    assert site.holds["p"] == 5
    site.run(69_000, 73_000)
    assert site.holds["p"] == 2


def test_after_a_reboot_with_the_hub_known_lost_nobody_waits_longer_than_a_router_needs():
    site = safe_site(fail_safe_ms=HOUR_MS)
    site.is_live = False
    site.run(10_000, 40_000)
    for _ in range(3):  # a supply that fails again and again must not put it off for good
        site.restart(0, is_boot=True)
        site.run(0, 20_000)
        assert site.holds["p"] == 5
    site.run(20_000, RESTART_MS + 3000)
    assert site.holds["p"] == 2


def test_without_a_wish_of_the_hub_the_fail_safe_value_stays_when_it_is_back():
    site = safe_site(desired=None)
    assert site.driver.bus.writes == []
    site.is_live = False
    site.run(10_000, 75_000)
    assert site.holds["p"] == 2
    site.is_live = True
    site.run(75_000, 90_000)
    assert site.stands() == (d.NOBODY, None, d.NONE, 2)


def test_a_fail_safe_value_that_cannot_be_written_says_so_once():
    site = safe_site(fail_safe="20", maximum="10")
    site.is_live = False
    site.recorder.twins()
    site.run(10_000, 90_000)
    twins = site.recorder.twins()
    assert len(twins) == 1 and "above the maximum" in twins[0][messages.TWIN_ERROR]
    assert site.holds["p"] == 5


def test_a_fail_safe_that_is_taken_back_ends_at_once():
    site = safe_site()
    site.is_live = False
    site.run(10_000, 75_000)
    site.is_live = True
    site.run(75_000, 77_000)
    site.send(77_000, fail_safe=None)
    site.run(77_000, 79_000)
    assert site.stands() == (d.HUB, "5", d.SETTLED, 5)


def test_who_needs_no_fail_safe_pays_nothing_for_it():
    site = Site()
    site.run(0, 100_000)
    assert site.devices._hub_loss is None and site.journal.writes == 0
    assert d.Desired not in [type(value) for value in vars_of(site.devices.view(KEY).twins["p"])]


def vars_of(one):
    return [getattr(one, name) for name in one.__dict__]
