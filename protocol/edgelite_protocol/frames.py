"""Frames on a byte stream (SPEC.md section 3.1): a length, a stream id, a payload.

    0       2        3
    | L:u16 | stream | payload, L - 1 bytes |        big-endian; L counts the stream id and the payload

A reader holds at most one frame and what came in with it, so a peer cannot make it hold more.
"""

from .errors import MisuseError, ProtocolError

HEADER_BYTES = 3
PAYLOAD_BYTES_MAX = 65534  # L has 16 bits and counts the stream id
STREAM_MAX = 255


def encode_frame(stream: int, payload: "bytes | bytearray | memoryview") -> bytes:
    """One frame. MisuseError where `stream` is not 0..255 or the payload is longer than 65,534 bytes."""
    length = len(payload) + 1
    if not 0 <= stream <= STREAM_MAX:
        raise MisuseError("a stream id must lie in 0..255")
    if length > PAYLOAD_BYTES_MAX + 1:
        raise MisuseError("a payload of %d bytes fits no frame" % len(payload))
    frame = bytearray(HEADER_BYTES + len(payload))
    frame[0] = length >> 8
    frame[1] = length & 0xFF
    frame[2] = stream
    frame[HEADER_BYTES:] = payload
    return bytes(frame)


class FrameReader:
    """Cuts a byte stream into frames. Feed it, then take frames until there is none, then feed it again.

    `frame_bytes_max` bounds the payload and may be changed between frames, when a session agreed on another.
    """

    def __init__(self, frame_bytes_max: int) -> None:
        self.frame_bytes_max = frame_bytes_max
        self._buffer = bytearray()
        self._start = 0  # of the next frame in the buffer

    @property
    def buffered_bytes(self) -> int:
        """What was fed and not yet taken: bytes of an unfinished frame once `next_frame` gave None."""
        return len(self._buffer) - self._start

    def feed(self, data: "bytes | bytearray | memoryview") -> None:
        """Takes what arrived, whatever its cut. MisuseError where a whole frame already waits to be taken:
        feeding on would grow the buffer without a bound."""
        if self.buffered_bytes >= HEADER_BYTES + self.frame_bytes_max:
            raise MisuseError("take the frames before feeding more")
        if self._start:
            self._buffer = self._buffer[self._start :]
            self._start = 0
        self._buffer += data

    def next_frame(self) -> "tuple[int, bytes] | None":
        """(stream, payload), or None until more is fed. ProtocolError "frame_empty" or "frame_too_long" as soon
        as the length is there; the stream has no next frame after that, so the error stays."""
        start = self._start
        if len(self._buffer) - start < HEADER_BYTES - 1:
            return None
        length = self._buffer[start] << 8 | self._buffer[start + 1]
        if length == 0:
            raise ProtocolError("frame_empty", "a frame without a stream id")
        if length - 1 > self.frame_bytes_max:
            raise ProtocolError(
                "frame_too_long", "a payload of %d bytes, at most %d agreed" % (length - 1, self.frame_bytes_max)
            )
        end = start + HEADER_BYTES - 1 + length
        if len(self._buffer) < end:
            return None
        payload = bytes(memoryview(self._buffer)[start + HEADER_BYTES : end])
        self._start = end
        return self._buffer[start + HEADER_BYTES - 1], payload
