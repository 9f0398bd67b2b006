"""JSON Schema of a recipe file, for editors and other tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The keys of a recipe file, with types and ranges.

    A file with a `base` states only what differs, so a group may leave out keys; whether the whole
    is complete shows when it is read. What stands in a list or has a `kind` of several is stated
    whole even then.
    """
    found = Recipe.model_json_schema()
    base = {"type": "string", "description": "Recipe whose values count where this one is silent."}
    found["properties"] = {"base": base, **found["properties"]}
    whole = set(_whole(found))
    for name, group in found["$defs"].items():
        if name not in whole:
            group.pop("required", None)
    return {"$schema": DIALECT, **found, "required": ["name"]}


def _whole(node: Any, *, inside: bool = False) -> Iterator[str]:
    """Names of the groups that are members of a list or of a choice by kind."""
    if isinstance(node, list):
        for one in node:
            yield from _whole(one, inside=inside)
    if isinstance(node, dict):
        if inside and "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for key, value in node.items():
            yield from _whole(value, inside=key in ("items", "oneOf"))
