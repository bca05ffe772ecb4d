"""Taking typed fields out of a configuration map, with errors that name the path. For any driver."""

from edgelite.driver import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def is_digits(text: str) -> bool:
    """Of ASCII alone, and at least one: `isdigit` has more, which `int` does not take."""
    return len(text) > 0 and all(one in "0123456789" for one in text)


class Fields:
    """The fields of one map: `Fields(config, "visitors.configData", ("register", "offset"))`.

    A field that is not among `known` is refused, because a misspelt option that is silently skipped gives wrong
    readings that nobody notices.
    """

    def __init__(self, config: object, path: str, known: "Iterable[str]") -> None:
        if not isinstance(config, dict):
            raise ConfigurationError(path, "must be a map")
        names = list(known)
        for name in sorted(str(key) for key in config):
            if name not in names:
                raise ConfigurationError(path + "." + name, "unknown field; known are " + ", ".join(names))
        self._config = config
        self._path = path

    def refuse(self, name: str, text: str) -> ConfigurationError:
        return ConfigurationError(self._path + "." + name, text)

    def has(self, name: str) -> bool:
        return self._config.get(name) is not None

    def value(self, name: str) -> object:
        """As it stands, for a field that no other method knows the form of; None where it is not there."""
        return self._config.get(name)

    def integer(self, name: str, minimum: int, maximum: int, default: "int | None" = None) -> int:
        """`default` None makes the field required."""
        value = self._value(name, default)
        if value is True or value is False or not isinstance(value, int) or not minimum <= value <= maximum:
            raise self.refuse(name, "must be an integer from %d to %d" % (minimum, maximum))
        return value

    def number(self, name: str, default: float) -> "int | float":
        value = self._value(name, default)
        if value is True or value is False or not isinstance(value, (int, float)):
            raise self.refuse(name, "must be a number")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self._value(name, default)
        if value is not True and value is not False:
            raise self.refuse(name, "must be true or false")
        return bool(value)

    def text(self, name: str, size_max: int, default: "str | None" = None) -> str:
        value = self._value(name, default)
        if not isinstance(value, str) or not 1 <= len(value) <= size_max:
            raise self.refuse(name, "must be text of 1 to %d characters" % size_max)
        return value

    def choice(self, name: str, choices: "Iterable[str]", default: "str | None" = None) -> str:
        value = self._value(name, default)
        names = list(choices)
        if not isinstance(value, str) or value not in names:
            raise self.refuse(name, "must be one of " + ", ".join(names))
        return value

    def _value(self, name: str, default: object) -> object:
        value = self._config.get(name)
        if value is None:
            value = default
        if value is None:
            raise self.refuse(name, "is required")
        return value
