"""Who wants to know at once what changes at devices: the local bus, a Modbus server. Nobody pays for it where nobody
watches."""


class Watcher:
    """Called from inside the agent's step, so it must be quick and raise nothing; what it wants to know more of, it
    asks `Devices.view`. It may call back into Devices only later, from its own step."""

    def device_added(self, key: str) -> None:
        """`key` is "namespace/name"; its twins are there, not yet read."""

    def device_removed(self, key: str) -> None:
        """`Devices.view(key)` gives None from now on."""

    def state_changed(self, key: str) -> None:
        pass

    def twin_changed(self, key: str, name: str) -> None:
        """Another value, quality or error was read, or what is desired has changed or been settled."""


class Watchers(Watcher):
    """All of them, as one."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def add(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def device_added(self, key: str) -> None:
        for watcher in self._watchers:
            watcher.device_added(key)

    def device_removed(self, key: str) -> None:
        for watcher in self._watchers:
            watcher.device_removed(key)

    def state_changed(self, key: str) -> None:
        for watcher in self._watchers:
            watcher.state_changed(key)

    def twin_changed(self, key: str, name: str) -> None:
        for watcher in self._watchers:
            watcher.twin_changed(key, name)
