"""The kinds that the hub knows."""

from __future__ import annotations

from ..registry import Kind
from .apps import daemon_set
from .core import config_map, event, namespace, secret
from .devices import device, device_model
from .edgelite import artifact, join_token
from .nodes import node
from .pods import pod


def all_kinds() -> list[Kind]:
    """In the order of discovery: where two kinds share a short name, the first has it."""
    return [
        namespace(),
        node(),
        pod(),
        config_map(),
        secret(),
        event(),
        daemon_set(),
        device_model(),
        device(),
        join_token(),
        artifact(),
    ]
