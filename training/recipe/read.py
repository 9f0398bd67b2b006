"""A recipe's YAML and all that it builds on, merged into a tree that knows where values come from.

A file may name another as its `base:`. Groups of keys are merged key by key; lists and values are
replaced, and so is a group whose `kind` differs, as the keys of another kind mean nothing there.
Knows nothing about which keys a recipe may have.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hub_model.errors import UsageError

RECIPES = Path(__file__).parents[1] / "recipes"
OVERRIDE = "override"  # origin of a value given on the command line
DEFAULT = "default"  # origin of a value that no file states


class RecipeError(UsageError):
    """The recipe does not read; the message names the key and what was expected there."""


@dataclass(frozen=True)
class Tree:
    """A recipe's keys and values before they are checked.

    Args:
        values: nested as in the YAML, without `base`.
        origins: dotted key of each value to where it was written: `"phantom.yaml"`,
            `"base mri_tumor_4class.yaml"` or `OVERRIDE`.
    """

    values: dict[str, Any]
    origins: dict[str, str]

    def merge(self, over: Mapping[str, Any], origin: str) -> None:
        """Lay another tree over this one."""
        _merge(self.values, over, "", origin, self.origins)

    def put(self, key: str, value: Any, origin: str) -> None:
        """Replace what stands under a dotted key, value or whole group.

        Raises:
            RecipeError: a part of the key names a value, not a group.
        """
        *parents, leaf = key.split(".")
        node: Any = self.values
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise RecipeError(f"override {key!r}: {parent!r} is a value, not a group of keys")
        _replace(node, leaf, value, key, origin, self.origins)


def read(name: str, overrides: Sequence[str] = ()) -> Tree:
    """The tree of that recipe, its bases below it and the overrides on top.

    Args:
        name: a shipped recipe's name, or a path to a YAML file.
        overrides: `"train.finetune.epochs=5"`; the value is read as YAML.

    Raises:
        RecipeError: no such recipe, no YAML, bases in a circle, or an override without a value.
    """
    tree = Tree({}, {})
    chain = _chain(name)
    for number, (path, found) in enumerate(reversed(chain), start=1):
        tree.merge(found, path.name if number == len(chain) else f"base {path.name}")
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator:
            raise RecipeError(f"override {override!r} has no '=': write it as a.b=value")
        tree.put(key, _yaml(value, f"override {key!r}"), OVERRIDE)
    return tree


def _chain(name: str) -> list[tuple[Path, dict[str, Any]]]:
    """Files from the recipe down to its last base, each with its own keys."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    folder = Path()
    base: Any = name
    while base is not None:
        path = _find(base, folder)
        if path in (known := [earlier for earlier, _ in chain]):
            circle = [*known[known.index(path) :], path]
            raise RecipeError(f"base: {' -> '.join(one.stem for one in circle)} is a circle")
        tree = _yaml(path.read_text(), f"recipe {base!r}")
        if not isinstance(tree, dict):
            raise RecipeError(f"recipe {base!r} holds no keys: start from a shipped recipe")
        base = tree.pop("base", None)
        if base is not None and "name" not in tree:
            raise RecipeError(
                f"recipe {path.stem!r} has base {base!r} and no name: give it a name of its own"
            )
        chain.append((path, tree))
        folder = path.parent
    return chain


def _find(name: Any, folder: Path) -> Path:
    """The file of a recipe; a relative path starts from `folder`."""
    shipped = sorted(recipe.stem for recipe in RECIPES.glob("*.yaml"))
    if not isinstance(name, str):
        raise RecipeError(f"base: {name!r} is no name: shipped are {', '.join(shipped)}")
    path = folder / name if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        raise RecipeError(f"no recipe {name!r}: shipped are {', '.join(shipped)}; or give a file")
    return path.resolve()


def _merge(
    into: dict[str, Any], over: Mapping[str, Any], prefix: str, origin: str, origins: dict[str, str]
) -> None:
    for key, value in over.items():
        dotted = f"{prefix}{key}"
        old = into.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and _same_kind(old, value):
            _merge(old, value, f"{dotted}.", origin, origins)
        else:
            _replace(into, key, value, dotted, origin, origins)


def _same_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "kind" not in new or new["kind"] == old.get("kind", new["kind"])


def _replace(
    into: dict[str, Any], key: str, value: Any, dotted: str, origin: str, origins: dict[str, str]
) -> None:
    """Put a value or group under a key, and forget where what stood there came from."""
    for known in [one for one in origins if f"{one}.".startswith(f"{dotted}.")]:
        del origins[known]
    if isinstance(value, dict) and value:
        into[key] = {}
        _merge(into[key], value, f"{dotted}.", origin, origins)
    else:
        into[key] = value
        origins[dotted] = origin


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice, where YAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node.

        Raises:
            ConstructorError: a key occurs twice.
        """
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [str(key) for key in dict.fromkeys(keys) if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice[0]!r} is written twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _yaml(text: str, what: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        raise RecipeError(f"{what} is no YAML: {' '.join(str(error).split())}") from error
