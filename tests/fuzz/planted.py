"""The target that shows that the fuzzers find what is there to be found."""

from targets import Function, Target


def prepare() -> Function:
    from planted_decoder import decode

    def function(data: bytes) -> None:
        try:
            decode(data)
        except ValueError:
            return

    return function


TARGETS = (Target("planted", prepare, (b"\x2b\x0e\x01\x00\x00", b"\x2b\x0e\x04\x00\x00")),)
