"""The effective recipe as YAML in which each value says where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from training.recipe import Effective
from training.recipe.read import DEFAULT


def text(found: Effective) -> str:
    """Valid YAML, one value a line, with its origin as a comment behind it.

    Example of a line: ``epochs: 15  # base mri_tumor_4class.yaml``.
    """
    tree = found.recipe.model_dump(mode="json")
    return "".join(f"{line}\n" for line in _lines(tree, "", found.origins))


def _lines(group: dict[str, Any], prefix: str, origins: dict[str, str]) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for key, value in group.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, f"{dotted}.", origins)
            continue
        origin = f"  # {origins.get(dotted, DEFAULT)}"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{key}:{origin}"
            yield from (f"{indent}  - {_flow(one)}" for one in value)
        else:
            yield f"{indent}{key}: {_flow(value)}{origin}"


def _flow(value: Any) -> str:
    """The value on one line, quoted where YAML asks for it."""
    written = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=2**20
    )
    return written.removesuffix("\n").removesuffix("\n...")
