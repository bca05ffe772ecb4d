"""The build backend: setuptools', after the vendored sources are in their places. A source distribution holds them
too, so that what is built from it needs no network."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import vendored
from setuptools import build_meta
from setuptools.build_meta import (  # noqa: F401 - the hooks that need nothing more
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

Settings = dict[str, Any] | None


def _needed(asked: list[str]) -> list[str]:
    """pip fetches; an isolated environment has none of its own."""
    fetches = any(not vendored.is_kept(one) for one in vendored.missing())
    return [*asked, "pip"] if fetches and importlib.util.find_spec("pip") is None else asked


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    return _needed(build_meta.get_requires_for_build_wheel(config_settings))


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    return _needed(build_meta.get_requires_for_build_editable(config_settings))


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    return _needed(build_meta.get_requires_for_build_sdist(config_settings))


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    vendored.put_in_place()
    return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    vendored.put_in_place()
    return str(build_meta.build_editable(wheel_directory, config_settings, metadata_directory))


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    vendored.put_in_place()
    return str(build_meta.build_sdist(sdist_directory, config_settings))
