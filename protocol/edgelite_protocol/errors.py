"""The four kinds of error that every room uses, so that a caller can tell whom to blame.

    MisuseError      the caller broke an interface's rules: a bug in our own code or its user's
    ProtocolError    the peer broke the protocol: end the session, name the error, disturb nothing else
    PlatformError    the environment failed: disk, network, process table, permissions
    CorruptionError  stored data does not validate: report it, keep what can be read

Never catch one kind to hide another: a read error is not an empty store.
"""


class EdgeliteError(Exception):
    """The common base; catch it only at a process's outermost edge."""


class MisuseError(EdgeliteError):
    """The caller broke the rules of an interface."""


class ProtocolError(EdgeliteError):
    """The peer broke the protocol.

    `code` is one of the names in protocol/SPEC.md's table of errors; `text` says what was seen.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code + ": " + text)
        self.code = code
        self.text = text


class PlatformError(EdgeliteError):
    """The environment failed. `advice` says what a person can do about it."""

    def __init__(self, text: str, advice: str = "") -> None:
        super().__init__(text + (": " + advice if advice else ""))
        self.text = text
        self.advice = advice


class CorruptionError(EdgeliteError):
    """Stored data does not validate. `place` names the file and the offset in bytes."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(place + ": " + text)
        self.place = place
        self.text = text
