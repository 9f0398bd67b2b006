"""The version of the code behind a stage: of what it does, not of how it is written down.

A digest over the syntax trees of every module of ours that the stage's module imports, directly or
not, wherever the import stands. Comments, docstrings and layout are no part of it. The package of
the recipe is left out: what a recipe says reaches a stage as values, which are compared as such,
and a key that is added for one stage must not undo the others.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("hub_model", "training")
LEFT_OUT = ("training.recipe",)
LIBRARIES = (
    "accelerate", "datasets", "h5py", "matplotlib", "nibabel", "numpy", "pillow", "pydicom",
    "safetensors", "scikit-learn", "scipy", "timm", "torch", "torchvision",
)  # fmt: skip
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def version(module: str, *packages: str) -> str:
    """Digest of a module's code, 64 hex digits.

    Args:
        module: e.g. "training.stages.split".
        packages: whose every module counts, for those that are imported by a name made at run time.
    """
    found = closure(module)
    for package in packages:
        folder = ROOT / package.replace(".", "/")
        for file in folder.rglob("*.py"):
            found |= closure(".".join(file.relative_to(ROOT).with_suffix("").parts))
    lines = [f"{name} {_digest(name)}" for name in sorted(found)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def libraries() -> dict[str, str]:
    """Installed versions of the libraries that results depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def closure(module: str) -> set[str]:
    """The module and all of ours that it imports, directly or not."""
    found: set[str] = set()
    open_ = [module]
    while open_:
        name = open_.pop()
        if name in found or name.startswith(LEFT_OUT) or _file(name) is None:
            continue
        found.add(name)
        open_ += _imports(name)
    return found


@cache
def _imports(module: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_named(_tree(module))))


def _named(tree: ast.Module) -> Iterator[str]:
    """Every module of ours that is named by an import.

    A package counts where something that it defines itself is asked for, not for standing around
    the module that is asked for: ours hold nothing but what they take from their modules.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if _file(inside) else node.module


@cache
def _digest(module: str) -> str:
    tree = _tree(module)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _tree(module: str) -> ast.Module:
    file = _file(module)
    if file is None:
        raise ModuleNotFoundError(f"no module {module} of ours")
    return ast.parse(file.read_bytes())


@cache
def _file(module: str) -> Path | None:
    """The file of a module of ours; None for one of somebody else."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    path = ROOT / module.replace(".", "/")
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None
