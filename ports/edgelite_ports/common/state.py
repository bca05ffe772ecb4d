"""The agent's state directory as every runtime finds it: where what is, and its configuration."""

from edgelite.config import TEXT_BYTES_MAX, Config, parse
from edgelite.driver import ConfigurationError
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_protocol.oscore.context import Keys

DEFAULT_PATH = "/var/lib/edgelite"
RUNTIME_PATH = "/run/edgelite"
CONFIG_NAME = "agent.conf"
PASSWORD_BYTES_MAX = 256
IDENTITY = "identity"  # the directory of the three that follow, all PEM
KEY = "node.key"
CERTIFICATE = "node.crt"
CA = "ca.crt"


class NotJoinedError(PlatformError):
    """A person has to run `edgelite join` first; trying again won't help."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "this machine is no node yet: " + path + " is missing",
            "run `edgelite join <hub:port> --token <token>` first",
        )


class StateDirectory:
    """Paths below one directory, all of it for its owner alone. `files` is the port's module of that name: it has
    `is_missing(path)` and `read_bytes(path, size_bytes_max)`."""

    def __init__(self, path: str, files: "Any") -> None:
        self.path = path
        self._files = files

    def below(self, *names: str) -> str:
        path = self.path
        for name in names:
            path += "/" + name
        return path

    def load_config(self) -> Config:
        """NotJoinedError where there is none, ConfigurationError where a line is wrong."""
        path = self.below(CONFIG_NAME)
        if self._files.is_missing(path):
            raise NotJoinedError(path)
        text = self._files.read_bytes(path, TEXT_BYTES_MAX)
        try:
            config = parse(text.decode())
            if config.mqtt_password_file:
                config.mqtt_password = self._password(config.mqtt_password_file)
            return config
        except UnicodeError as error:
            raise ConfigurationError(path, "is not UTF-8 text") from error
        except ConfigurationError as error:
            raise ConfigurationError(path + ", " + error.path, error.text) from error

    def _password(self, name: str) -> bytes:
        """The first line of a file."""
        path = name if name.startswith("/") else self.below(name)
        if self._files.is_missing(path):
            raise ConfigurationError("mqtt_password_file", "there is no " + path)
        password = bytes(self._files.read_bytes(path, PASSWORD_BYTES_MAX)).split(b"\n")[0].rstrip(b"\r")
        if not password:
            raise ConfigurationError("mqtt_password_file", path + " is empty")
        return password

    def load_link_keys(self, config: Config) -> "Keys | None":
        """Those of a node on a serial line, None for all others; NotJoinedError where they are missing."""
        if config.link is None:
            return None
        from edgelite import link_keys

        path = self.below(link_keys.FILE_NAME)
        if self._files.is_missing(path):
            raise NotJoinedError(path)
        try:
            return link_keys.parse(self._files.read_bytes(path, link_keys.TEXT_BYTES_MAX).decode())
        except UnicodeError as error:
            raise ConfigurationError(path, "is not UTF-8 text") from error


def in_use(path: str) -> PlatformError:
    return PlatformError("another agent runs on " + path, "stop it first, or give this one its own --state")
