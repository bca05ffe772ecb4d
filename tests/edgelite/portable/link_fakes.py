"""What a link needs around it, small: a journal in a dict, a session by hand, an owner that remembers."""

from edgelite.config import Config
from edgelite.context import Context
from edgelite_protocol.events import Ended


class FakeJournal:
    def __init__(self):
        self.values = {}

    def get(self, space, key):
        return self.values.get((space, key))

    def write(self, changes):
        for change in changes:
            self.values[change[1:3]] = change[3]
        return 1


class FakeSession:
    """Gives the events that a test has put in."""

    def __init__(self):
        self.events = []
        self.deadline_ms = None
        self.ended_by_us = None

    def receive(self, data, now_ms):
        pass

    def receive_eof(self, now_ms):
        self.events.append(Ended("link_lost", "", True))

    def next_event(self):
        return self.events.pop(0) if self.events else None

    def data_to_send(self, size_bytes_max):
        return b""

    def step(self, now_ms):
        return self.deadline_ms

    def end(self, code, text, now_ms):
        self.ended_by_us = code
        self.events.append(Ended(code, text, False))


class FakeOwner:
    def __init__(self):
        self.sessions = []
        self.events = []
        self.over = 0

    def begin_session(self, now_ms):
        self.sessions.append(FakeSession())
        return self.sessions[-1]

    def session_event(self, event, now_ms):
        self.events.append(event)

    def session_over(self, now_ms):
        self.over += 1


class Bench:
    """A link with everything that it touches; `random` is what the jitter is drawn from."""

    def __init__(self, link_class, hubs=None, random=b"\xff\xff\xff\xff"):
        self.effects = []
        self.journal = FakeJournal()
        self.owner = FakeOwner()
        self.config = Config("kitchen", hubs or [("hub.example", 7444)])
        context = Context(self.journal, self.effects.append, None, None, lambda count: random[:count], bytes(16))
        self.link = link_class(context, self.config, self.owner)

    def taken(self, kind):
        """The effects of one class since the last call; the others are dropped."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects.clear()
        return found

    @property
    def session(self):
        return self.owner.sessions[-1]
