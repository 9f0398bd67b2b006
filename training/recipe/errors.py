"""What is wrong with a recipe, in words: the key, what stands there and what was meant."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """One sentence with every problem that was found.

    Args:
        error: what pydantic said about a tree.
        root: the model it was read into.
    """
    lines = []
    for problem in error.errors(include_url=False):
        place = _place(root, problem["loc"])
        line = f"{place.key}: {problem['msg']}"
        if problem["type"] == "extra_forbidden":
            line = f"{place.key}: unknown key{_instead(place)}"
        elif problem["type"] == "union_tag_not_found":
            line = f"{place.key}.kind: Field required"
        elif problem["type"] == "value_error":  # of our own checks, which say what they found
            line = f"{place.key}: {problem['ctx']['error']}"
        elif problem["type"] != "missing":
            line += f" (found {problem['input']!r})" if problem["loc"] else ""
        lines.append(line)
    return "the recipe does not read: " + "; ".join(lines)


@dataclass(frozen=True)
class _Place:
    """Where a problem is: dotted key, keys that are valid beside it, kind of the group."""

    key: str
    beside: tuple[str, ...]
    kind: str | None


def _instead(place: _Place) -> str:
    group, _, leaf = place.key.rpartition(".")
    if near := difflib.get_close_matches(leaf, place.beside, n=1):
        return f"; did you mean {near[0]!r}?"
    if place.kind is not None:
        return (
            f" of kind {place.kind!r}, which has {', '.join(place.beside)}; to change the kind "
            f"give the group whole, e.g. '{group}={{kind: {place.kind}}}'"
        )
    return ""


def _place(root: type[BaseModel], location: tuple[int | str, ...]) -> _Place:
    """Read pydantic's location, in which the kind of a group stands as if it were a key."""
    models, keys = [root], []
    beside: tuple[str, ...] = ()
    kind: str | None = None
    for part in location:
        if len(models) > 1 and (chosen := [one for one in models if part in _kinds(one)]):
            models, kind = chosen, str(part)
            continue
        keys.append(str(part))
        if isinstance(part, int):
            continue
        beside = tuple(name for one in models for name in one.model_fields)
        fields = [one.model_fields[part] for one in models if part in one.model_fields]
        models = [one for field in fields for one in _models(field.annotation)]
    return _Place(".".join(keys) or "recipe", beside, kind)


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("kind")
    return () if field is None else get_args(field.annotation)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Groups of keys that a field may hold, wherever they stand in its type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
