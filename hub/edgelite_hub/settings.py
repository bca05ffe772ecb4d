"""What a hub can be told, with its defaults and their reasons."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

DAY_MS = 86_400_000


def default_data_directory() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/edgelite-hub")
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "edgelite-hub"


@dataclass(slots=True)
class Settings:
    data_directory: Path = field(default_factory=default_data_directory)
    api_host: str = "127.0.0.1"
    api_port: int = 7443  # 0: any free port; the actual one is printed and written to hub.json
    nodes_host: str = "0.0.0.0"
    nodes_port: int = 7444
    advertise: tuple[str, ...] = ()  # names and addresses by which nodes know this machine

    certificate_lifetime_ms: int = 90 * DAY_MS  # renewed when two thirds are over: a month of outage to spare

    connections_max: int = 2_000  # a connection costs about 60 kB; descriptors are limited to some thousands
    connections_unidentified_max: int = 64  # before hello: only joining needs them, and only for seconds
    handshake_timeout_ms: int = 30_000  # TLS on the slowest node takes 3 s; one short of memory is patient for so long

    artifact_size_bytes_max: int = 1 << 30
    telemetry_retention_ms: int = 7 * DAY_MS
    telemetry_rows_max: int = 5_000_000  # about 500 MB in SQLite
    feed_keep: int = 256  # superseded entries kept for a delta; a node further behind gets a snapshot

    return_window_ms: int = 40_000  # a node whose session ended has this long before it is called NotReady
    maintenance_ms: int = 600_000  # how often telemetry is trimmed, feeds and the change log are compacted
    changes_keep: int = 10_000  # revisions of the change log that a watch can go back

    @property
    def pki_directory(self) -> Path:
        return self.data_directory / "pki"

    @property
    def artifacts_directory(self) -> Path:
        return self.data_directory / "artifacts"

    @property
    def store_path(self) -> Path:
        return self.data_directory / "hub.sqlite"

    @property
    def kubeconfig_path(self) -> Path:
        return self.data_directory / "kubeconfig"

    @property
    def facts_path(self) -> Path:
        return self.data_directory / "hub.json"
