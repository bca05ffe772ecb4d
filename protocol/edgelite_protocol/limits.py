"""What one end of a session lets the other end make it hold. Each bound has its reason beside it."""

from edgelite_protocol.messages import FRAME_BYTES_MAX_DEFAULT

WINDOW_FRAMES = 4  # of state and of telemetry on their way: enough to hide a round trip, little to hold
HANDSHAKE_MS = 30_000  # from connected to welcome; a hub that restarts is met by all its nodes at once
LINGER_MS = 5_000  # how long a goodbye may wait for the link to take it
KEEPALIVE_REST_MS = 240_000  # below the idle timeout that NAT boxes and mobile carriers commonly use (300 s)
KEEPALIVE_BUSY_MS = 5_000  # of silence while an answer is owed: probe; three times that: the link is dead
CREDIT_BYTES_MAX = 0x3FFFFFFF  # the most that a sender may have been granted; small in every runtime's integers
REPORT_BYTES_MAX = 4000  # of one encoded report with its sequence: fits the smallest frame that a hub may take
STREAMS_MAX = 4  # bulk streams that each end may have open: an artifact for each of a few workloads, a few logs
BULK_BYTES_LEAST = 64  # smaller pieces wait for more credit, so that framing never outweighs the data
DATA_OVERHEAD_BYTES = 7  # of a DATA message around its bytes


class Limits:
    """`frame_bytes_max` is the largest frame payload this end takes, 1024 to 65534; a hub's is at least 4096.
    `bulk_bytes_max` is the largest bulk payload it sends: a waiting control message waits for one of these.
    `bulk_window_bytes` is what a bulk stream may have on its way to it, at least twice what the peer sends at
    once."""

    def __init__(
        self,
        frame_bytes_max: int = FRAME_BYTES_MAX_DEFAULT,
        bulk_bytes_max: int = 2048,
        bulk_window_bytes: int = 16384,
        handshake_ms: int = HANDSHAKE_MS,
    ) -> None:
        self.frame_bytes_max = frame_bytes_max
        self.bulk_bytes_max = bulk_bytes_max
        self.bulk_window_bytes = bulk_window_bytes
        self.handshake_ms = handshake_ms
