"""What a framing is: how PDUs travel on one medium, seen from the client. No I/O, no clock.

A framing knows the request that was encoded last, and hands out its answer alone: what is late, doubled, of another
unit, or no frame at all is passed over. So no caller ever has to tell answers apart.
"""


class Framing:
    # True where an answer that comes too late cannot be taken for the next one's.
    identifies_answers = False
    # True where unit 0 is everybody, and nobody answers.
    can_broadcast = False
    # True on a serial line of our own: there is no connection that could be dead while it seems open.
    is_line = False
    # How long the line must have been still before a request is sent (0: no such rule).
    idle_ms = 0
    # How many frames were passed over.
    foreign_answers = 0

    def encode(self, unit: int, pdu: bytes) -> bytes:
        """The frame to send. From now on its answer is what `next_answer` gives; what had come before is void."""
        raise NotImplementedError

    def feed(self, data: "bytes | memoryview") -> None:
        raise NotImplementedError

    def next_answer(self) -> "bytes | None":
        """The PDU that answers the request, once; None while it is not there.

        ProtocolError where the stream can never be understood again: the connection must end.
        """
        raise NotImplementedError

    def expire(self) -> "bytes | None":
        """The time for an answer has passed: the best that can be made of what came, else None. Nothing is awaited
        any more."""
        raise NotImplementedError

    def has_noise(self) -> bool:
        """Whether anything came since the request that is no answer to it."""
        return False

    def wire_ms(self, request: bytes) -> int:
        """How long the request PDU and its answer take on the wire, where that counts."""
        return 0

    def reset(self) -> None:
        """A new connection: what was left of the old one is void."""
        raise NotImplementedError
