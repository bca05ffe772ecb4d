"""A listener where the system is short of something; real sockets are in test_listening.py."""

from edgelite.effects import Acceptor, Channel, Listen
from edgelite_ports.common import listener as module
from edgelite_ports.common.listener import Listener


class Loop:
    def __init__(self):
        self.handlers = {}

    def register(self, pollable, events, handler):
        self.handlers[pollable] = handler

    def unregister(self, pollable):
        del self.handlers[pollable]


class Socket:
    closed = False

    def close(self):
        self.closed = True


class Sockets:
    """Gives what is in `coming`: a socket, or an errno."""

    def __init__(self, *coming):
        self.coming = list(coming)
        self.listening = Socket()

    def listen(self, target, backlog, system):
        return self.listening

    def pollable(self, listening):
        return 5

    def accept(self, listening):
        one = self.coming.pop(0) if self.coming else 11
        if isinstance(one, int):
            raise OSError(one, "as the system says")
        return one, "192.0.2.7"


class Door(Acceptor):
    def __init__(self):
        self.ends = []

    def accept(self, peer_address, now_ms):
        return Channel()

    def closed(self, reason, now_ms):
        self.ends.append(reason)


class Taken:
    is_closed = False


class Owner:
    def __init__(self):
        self.loop = Loop()
        self.clock_ms = 1000
        self.taken = []
        self.forgotten = 0

    def now_ms(self):
        return self.clock_ms

    def describe(self, number):
        return "error %d" % number

    def accepted(self, effect, accepted):
        self.taken.append(accepted)
        return Taken()

    def forget(self, connection):
        self.forgotten += 1


def made(*coming, target=("tcp", "127.0.0.1", 502), system=None):
    owner, door = Owner(), Door()
    listener = Listener(owner, Listen(door, target), Sockets(*coming), system)
    listener.start()
    return owner, door, listener


def test_without_a_descriptor_it_pauses_in_place_of_waking_again_and_again():
    for number in (23, 24, 12):
        owner, door, listener = made(number, Socket())
        owner.loop.handlers[5](1)
        assert owner.loop.handlers == {} and listener.deadline_ms == 1000 + module.PAUSE_MS
        listener.expire(1500)
        assert owner.loop.handlers == {}
        owner.clock_ms = 2000
        listener.expire(2000)
        owner.loop.handlers[5](1)
        assert len(owner.taken) == 1 and listener.deadline_ms is None and door.ends == []


def test_a_connection_that_is_gone_already_keeps_no_other_waiting():
    owner, _door, _listener = made(103, Socket(), Socket())
    owner.loop.handlers[5](1)
    assert len(owner.taken) == 2


def test_what_cannot_be_mended_ends_it_once():
    owner, door, listener = made(22)
    owner.loop.handlers[5](1)
    assert door.ends == ["cannot listen any more: error 22"]
    listener.close()
    assert len(door.ends) == 1 and owner.forgotten == 1


def test_closed_in_a_pause():
    owner, door, listener = made(24)
    owner.loop.handlers[5](1)
    listener.close()
    assert door.ends == ["closed"] and owner.loop.handlers == {}


def test_more_than_it_may_have_are_closed():
    many = [Socket() for _ in range(module.ACCEPTED_MAX + 1)]
    owner, _door, _listener = made(*many)
    while not many[-1].closed:
        owner.loop.handlers[5](1)
    assert len(owner.taken) == module.ACCEPTED_MAX


def test_a_board_has_no_sockets_in_a_file_system():
    _owner, door, _listener = made(target=("unix", "/bus.sock"))
    assert door.ends == ["this port has no sockets in a file system"]
