"""Where an error was raised, for a line in the log. Loaded when there is one."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def place_of(error: BaseException) -> str:
    """Where it was raised, "file.py:12", as far as the runtime tells; "" where it does not."""
    show: Any = getattr(sys, "print_exception", None)
    if show is None:
        return _place_in(getattr(error, "__traceback__", None))
    import io

    written = io.StringIO()  # MicroPython's way
    show(error, written)
    place = ""
    for line in written.getvalue().split("\n"):
        words = line.strip().split('"')
        if len(words) == 3 and words[0] == "File ":
            place = words[1].split("/")[-1] + ":" + words[2].split(",")[1].replace(" line ", "")
    return place


def _place_in(traceback: "Any") -> str:
    place = ""
    while traceback is not None:
        place = "%s:%d" % (traceback.tb_frame.f_code.co_filename.split("/")[-1], traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
