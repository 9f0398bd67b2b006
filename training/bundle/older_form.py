"""Reader of the older form of bundle; `convert` says what it looks like. Trusts none of its files.

Everything is checked on its own file here, so that a message can name it: label order against the
number of classes, temperature against temperature, shapes, and that every number is finite.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import GuardFile
from hub_model.errors import BundleError
from hub_model.guard import Guard

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "best_model.pth"
TEMPERATURE = "temperature_scaling.json"
POLICY = "final_policy_config.json"
GUARD = "domain_guard_lr.npz"
FILES = (WEIGHTS, TEMPERATURE, POLICY, GUARD)

WIDTH = 512  # of the embedding of a ResNet18
TEMPERATURE_GAP = 1e-3  # two files state the temperature, rounded differently
GUARD_NAMES = (("coef", "intercept"), ("w", "b"))  # weight and bias, in either of two spellings
POLICY_NUMBERS = ("tau_conf", "tau_domain", "temperature_T")
# What torch.load raises on bytes that are not what they claim to be.
TORCH_ERRORS = (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError)


class ConversionError(BundleError):
    """A file of the older bundle is missing, broken or contradicts another; `file` names it."""


@dataclass(frozen=True, eq=False)
class OlderBundle:
    """What the four files say, checked.

    Args:
        state: state dict of the network, without the "module." of a parallel one.
        label_names: in the network's order.
        temperature: > 0.
        tau_conf: 0-1, smallest calibrated probability of an answer.
        tau_domain: 0-1, smallest probability of being in domain.
        weight: `(D,)` of the logistic guard.
        bias: `()` of the logistic guard.
        notes: what else the JSON files hold, by file; it decides nothing.
    """

    state: dict[str, Tensor]
    label_names: tuple[str, ...]
    temperature: float
    tau_conf: float
    tau_domain: float
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def guard(self, file: GuardFile) -> Guard:
        """The guard with the given description, of one member."""
        (member,) = file.members
        tensors = {"weight": self.weight, "bias": self.bias}
        return Guard(file, {f"{member.name}.{key}": value for key, value in tensors.items()})


def read(folder: Path) -> OlderBundle:
    """The older bundle in a folder.

    Raises:
        ConversionError: naming the first file at fault.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise ConversionError(name, f"is missing: the older form has {', '.join(FILES)}")
    scaling, policy = _json(folder, TEMPERATURE), _json(folder, POLICY)
    temperature = _number(TEMPERATURE, scaling, "temperature")
    tau_conf, tau_domain, again = (_number(POLICY, policy, key) for key in POLICY_NUMBERS)
    for key, value in (("tau_conf", tau_conf), ("tau_domain", tau_domain)):
        if not 0 <= value <= 1:
            raise ConversionError(POLICY, f"{key} is {value}, expected a share of 0 to 1")
    if temperature <= 0:
        raise ConversionError(TEMPERATURE, f"temperature is {temperature}, expected more than 0")
    if abs(temperature - again) > TEMPERATURE_GAP:
        raise ConversionError(
            TEMPERATURE,
            f"temperature is {temperature}, but temperature_T in {POLICY} is {again}: find out "
            "which of them served, and write it into both",
        )
    weight, bias = _guard(folder / GUARD)
    state, label_names = _weights(folder / WEIGHTS)
    return OlderBundle(
        state=state,
        label_names=label_names,
        temperature=temperature,
        tau_conf=tau_conf,
        tau_domain=tau_domain,
        weight=weight,
        bias=bias,
        notes={
            TEMPERATURE: {key: value for key, value in scaling.items() if key != "temperature"},
            POLICY: _policy_notes(policy),
        },
    )


def label_order(label_map: Mapping[Any, Any]) -> tuple[str, ...]:
    """Names in the network's order, from index to name or from name to index.

    Raises:
        ConversionError: the indices are not 0 to K-1, each once, or a name is empty or repeated.

    >>> label_order({"glioma": 1, "notumor": 0})
    ('notumor', 'glioma')
    >>> label_order({"0": "notumor", "1": "glioma"})
    ('notumor', 'glioma')
    """
    shown = dict(label_map)
    by_index = all(_index(key) is not None for key in label_map)
    by_name = all(_index(value) is not None for value in label_map.values())
    if by_index == by_name:
        raise ConversionError(
            WEIGHTS, f"label_map is {shown}, expected numbers on one side and names on the other"
        )
    pairs = label_map.items() if by_index else ((key, name) for name, key in label_map.items())
    found = [(_index(key), name) for key, name in pairs]
    names = [name for _, name in sorted(found, key=lambda pair: pair[0] or 0)]
    indices = sorted(index for index, _ in found if index is not None)
    if indices != list(range(len(found))) or len(found) < 2:
        raise ConversionError(
            WEIGHTS,
            f"label_map has the indices {indices}, expected 0 to {max(1, len(found) - 1)}, each "
            "once",
        )
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ConversionError(WEIGHTS, f"label_map has the names {names}, expected each once")
    return tuple(names)


def _index(value: Any) -> int | None:
    """A class index written as a number or in digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def _weights(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a newer pickle protocol: read or not
            found = torch.load(path, map_location="cpu", weights_only=True)
    except TORCH_ERRORS as error:  # their words advise to switch the check off: not passed on
        raise ConversionError(
            WEIGHTS,
            f"cannot be read as tensors and plain values ({type(error).__name__}): save it again "
            "with nothing else in it",
        ) from None
    keys = ("model_state_dict", "label_map")
    if not isinstance(found, dict) or not all(isinstance(found.get(key), dict) for key in keys):
        has = sorted(map(str, found)) if isinstance(found, dict) else type(found).__name__
        raise ConversionError(WEIGHTS, f"holds {has}, expected the dicts {' and '.join(keys)}")
    names = label_order(found["label_map"])
    count = found.get("num_classes", len(names))
    if not isinstance(count, int) or count != len(names):
        raise ConversionError(
            WEIGHTS, f"num_classes is {count}, but label_map has {len(names)} labels"
        )
    raw = found["model_state_dict"]
    if not all(isinstance(value, torch.Tensor) for value in raw.values()):
        raise ConversionError(WEIGHTS, "model_state_dict holds a value that is not a tensor")
    state = {str(name).removeprefix("module."): value.detach() for name, value in raw.items()}
    if len(state) != len(raw):
        raise ConversionError(
            WEIGHTS, "model_state_dict holds a tensor with and without the prefix 'module.'"
        )
    return state, names


def _guard(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file}
    except (OSError, ValueError, EOFError, BadZipFile, TypeError) as error:
        raise ConversionError(
            GUARD, f"cannot be read as plain arrays ({type(error).__name__}): save it with np.savez"
        ) from None
    names = next((pair for pair in GUARD_NAMES if set(pair) == set(arrays)), None)
    if names is None:
        raise ConversionError(
            GUARD,
            f"holds {sorted(arrays)}, expected coef and intercept, or w and b, and nothing else: "
            "another array would change what these mean",
        )
    weight, bias = (arrays[name] for name in names)
    if weight.shape not in ((1, WIDTH), (WIDTH,)) or bias.shape not in ((1,), ()):
        raise ConversionError(
            GUARD,
            f"{names[0]} is {weight.shape} and {names[1]} {bias.shape}, expected (1, {WIDTH}) and "
            "(1,): one weight for each number of the embedding",
        )
    with np.errstate(over="ignore", invalid="ignore"):  # too large for float32 becomes infinite
        single = {name: arrays[name].astype(np.float32) for name in names if _real(arrays[name])}
    for name in names:
        if name not in single or not np.isfinite(single[name]).all():
            raise ConversionError(GUARD, f"{name} holds a value that is not a finite number")
    return single[names[0]].reshape(WIDTH), single[names[1]].reshape(())


def _real(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "fiu"


def _json(folder: Path, name: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ConversionError(name, f"holds {constant}, expected finite numbers")

    try:
        found = json.loads((folder / name).read_bytes(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ConversionError(name, "cannot be read as JSON: write it again") from error
    if not isinstance(found, dict):
        raise ConversionError(name, f"holds a {type(found).__name__}, expected an object")
    return found


def _number(file: str, values: Mapping[str, Any], key: str) -> float:
    if key not in values:
        raise ConversionError(file, f"has no {key!r}: it holds {', '.join(values) or 'nothing'}")
    value = values[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConversionError(file, f"{key} is {value!r}, expected a finite number")
    return float(value)


def _policy_notes(policy: Mapping[str, Any]) -> dict[str, Any]:
    """What the policy holds beside its three numbers; another number might be a threshold."""
    notes = {key: value for key, value in policy.items() if key not in POLICY_NUMBERS}
    for key, value in notes.items():
        if isinstance(value, int | float):
            raise ConversionError(
                POLICY,
                f"{key} is {value}, and what it decides is not known here: remove it if it decides "
                "nothing",
            )
    return notes
