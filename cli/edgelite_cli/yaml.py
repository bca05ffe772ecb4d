"""YAML through PyYAML, imported only where a file is YAML; reading is safe, writing keeps the order of keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgelite_cli.failure import Failure

DOCUMENT_BYTES_MAX = 8 * 1024 * 1024  # far above any manifest; keeps a wrong file from filling the memory


def module() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise Failure("reading YAML needs PyYAML; install it with: pip install 'edgelite[hub]'") from error
    return yaml


def parse_documents(text: str, source: str) -> Iterator[Any]:
    """Each document of a file, empty ones left out. Failure names the source, line and column."""
    yaml = module()
    if len(text) > DOCUMENT_BYTES_MAX:
        raise Failure(f"{source} is larger than {DOCUMENT_BYTES_MAX} bytes; a manifest is not")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from (document for document in yaml.load_all(text, Loader=loader) if document is not None)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise Failure(f"{place}: not YAML: {getattr(error, 'problem', None) or error}") from error


def dump(value: Any) -> str:
    yaml = module()
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False))
