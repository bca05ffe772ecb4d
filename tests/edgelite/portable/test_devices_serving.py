"""A driver that serves others: what its connections raise ends them, and not the agent."""

from edgelite.devices.serving import Serving
from edgelite.effects import Acceptor, Channel, Close, Listen, Log


class Client(Channel):
    def __init__(self):
        self.heard = []
        self.fault = ""
        self.sends = b""

    def opened(self, now_ms):
        self.heard.append("opened " + self.peer_address)
        self.fail("opened")

    def received(self, data, now_ms):
        self.fail("received")
        self.heard.append(bytes(data))

    def data_to_send(self, size_bytes_max):
        self.fail("data_to_send")
        return self.sends

    def closed(self, reason, now_ms):
        self.heard.append("closed")
        self.fail("closed")

    def fail(self, method):
        if self.fault == method:
            raise ValueError("client of rack 3")


class Door(Acceptor):
    def __init__(self):
        self.client = Client()
        self.ends = 0
        self.fault = ""

    def accept(self, peer_address, now_ms):
        if self.fault:
            raise ValueError("the door")
        return self.client if peer_address != "stranger" else None

    def closed(self, reason, now_ms):
        self.ends += 1
        if self.fault == "closed":
            raise ValueError("the door")


class World:
    def __init__(self):
        self.effects = []
        self.serving = Serving("server", self.effects.append)
        self.door = Door()
        self.serving.emit(Listen(self.door, ("tcp", "127.0.0.1", 502)))
        self.acceptor = self.effects.pop(0).acceptor
        self.client = self.door.client

    def connection(self):
        guarded = self.acceptor.accept("192.0.2.7", 0)
        guarded.peer_address = "192.0.2.7"
        guarded.opened(0)
        return guarded


def test_what_is_right_passes():
    world = World()
    guarded = world.connection()
    guarded.received(b"question", 1)
    world.client.sends = b"answer"
    assert guarded.data_to_send(10) == b"answer"
    assert world.client.heard == ["opened 192.0.2.7", b"question"]
    assert world.acceptor.accept("stranger", 2) is None
    world.serving.emit(Close(world.client))
    assert world.effects[0].channel is guarded, "the port knows the guard"
    guarded.closed("closed", 3)
    world.serving.emit(Close(world.client))
    assert len(world.effects) == 1 and world.client.heard[-1] == "closed"
    world.serving.emit(Close(world.door))
    assert world.effects[1].channel is world.acceptor
    world.acceptor.closed("closed", 4)
    assert world.door.ends == 1


def test_what_a_connection_raises_ends_it():
    for method in ("opened", "received", "data_to_send"):
        world = World()
        world.client.fault = method
        guarded = world.connection()
        guarded.received(b"question", 1)
        assert guarded.data_to_send(10) == b""
        log, close = world.effects
        assert isinstance(log, Log) and isinstance(close, Close) and close.channel is guarded
        assert (
            log.text == "driver server failed in %s: ValueError: client of rack 3; that connection is closed" % method
        )
        guarded.received(b"more", 2)
        guarded.closed("closed", 3)
        assert world.client.heard[-1] == "closed", "it hears of its end all the same"


def test_too_much_to_send_is_a_fault():
    world = World()
    guarded = world.connection()
    world.client.sends = b"x" * 11
    assert guarded.data_to_send(10) == b"" and isinstance(world.effects[1], Close)


def test_what_the_door_raises_closes_it():
    world = World()
    world.door.fault = "closed"
    assert world.acceptor.accept("192.0.2.7", 0) is None
    assert isinstance(world.effects[1], Close) and world.effects[1].channel is world.acceptor
    world.acceptor.closed("closed", 1)
    assert world.door.ends == 1
