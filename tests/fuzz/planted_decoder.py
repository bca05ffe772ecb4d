"""A decoder with a bug that only what is nearly right reaches: the fuzzers must find it."""


def decode(data: bytes) -> bytes:
    if len(data) < 3 or data[0] != 0x2B or data[1] != 0x0E:
        raise ValueError("not mine")
    if data[2] == 4:
        return bytes([data[data[3]]])  # trusts a place that the peer named
    return data[3:]
