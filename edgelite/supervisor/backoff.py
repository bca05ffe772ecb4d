"""How long a unit waits before it starts again.

    end in a row   1     2     3     4     5 ...                10 and more
    delay          0     1 s   2 s   4 s   8 s (doubling)       300 s

The first restart is immediate, because most ends of a healthy program are single events (a kill, a lost device)
and a device at the edge shall be back at once. 300 s is Kubernetes' cap: a crash loop then costs at most 288
starts a day, each with two small journal records. Kubernetes waits 10 s before the second restart; 1 s is enough
to stop a loop from taking the CPU and still short for a person who waits beside the device. A run of 600 s counts
as healthy and starts the row anew, as in Kubernetes. No jitter: nothing outside the device is stormed.
"""

BASE_MS = 1000
CAP_MS = 300000
HEALTHY_MS = 600000  # longer than the cap, so a program that dies each time after the longest delay stays capped
ENDS_MAX = 16  # counting further would change no delay


def delay_ms(ends: int) -> int:
    """The delay before the start that follows the `ends`th end in a row (1, 2, ...)."""
    if ends <= 1:
        return 0
    return min(BASE_MS << min(ends - 2, ENDS_MAX), CAP_MS)


def count_end(ends: int, ran_ms: int) -> int:
    """How many ends in a row there are now, given those before and how long the unit ran this time."""
    if ran_ms >= HEALTHY_MS:
        return 1
    return min(ends + 1, ENDS_MAX)
