"""The shipped recipes on drawn data in their own layouts: each is made short and run once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import SMALL_PHANTOM
from tests.training.recipes import drawn
from training import pipeline, recipe
from training.dataset.splits import balanced_seed
from training.linkage.groups import of_records
from training.recipe import Recipe
from training.records import Records
from training.sources.phantom_ct import write_folder
from training.sources.phantom_heads import FREE

TRUNK = ("model.architecture=resnet10t", "model.weights=random")
LOOSE = (  # what some tens of images and a network of seconds can keep
    "policy.confidence=0.6",
    "policy.tumor_called_none=0.8",
    "policy.none_called_tumor=0.8",
    "policy.wrong_type=0.9",
    "guard.refusal=0.2",
)
SHORT = {  # a recipe to what makes it a matter of seconds
    "phantom": SMALL_PHANTOM,
    "mri_tumor_4class": (
        "preprocess.size=64", f"data.groups={drawn.GROUPS}", "data.review=null", *TRUNK,
        "train.batch=16", "train.head.sizes=[48]", "train.finetune.sizes=[48, 48, 64]",
        "train.finetune.epochs=6", "train.finetune.lr=3.0e-3", "train.ema_decay=0.5", *LOOSE,
    ),
    "mri_tumor_4class_evidence": (
        "preprocess.size=64", f"data.groups={drawn.GROUPS}", "data.review=null", "data.masks=null",
        *TRUNK, "train.batch=16", "train.head.sizes=[48]", "train.finetune.sizes=[48]",
        "train.finetune.epochs=3", "train.finetune.lr=3.0e-3", "train.ema_decay=0.5",
        "crossval.folds=3", "crossval.sources=[lgg]", *LOOSE,
    ),
    "mri_tumor_4class_sartaj": (
        "preprocess.size=64", *TRUNK, "train.batch=16", "train.finetune.sizes=[48, 64]",
        "train.finetune.epochs=6", "train.finetune.lr=3.0e-3", "train.schedule.every=4", *LOOSE,
    ),
    "mri_tumor_multitask": (
        "preprocess.size=64", f"data.groups={drawn.GROUPS}", "data.review=null", "data.masks=null",
        *TRUNK, "train.batch=16", "train.head.sizes=[48]", "train.finetune.sizes=[48]",
        "train.finetune.epochs=3", "train.finetune.lr=3.0e-3", "train.ema_decay=0.5",
        "train.masks.warmup.sizes=[48]", "crossval.folds=3", "crossval.sources=[lgg]", *LOOSE,
    ),
    "mri_lgg_multitask": (
        "preprocess.size=64", *TRUNK, "train.batch=16", "train.head.sizes=[48]",
        "train.finetune.sizes=[48]", "train.finetune.epochs=3", "train.finetune.lr=3.0e-3",
        "train.ema_decay=0.5", "train.masks.warmup.sizes=[48]", "crossval.folds=3", *LOOSE,
    ),
    "mri_brats_multitask": (
        "preprocess.size=64", *TRUNK, "train.batch=16", "train.head.sizes=[48]",
        "train.finetune.sizes=[48]", "train.finetune.epochs=3", "train.finetune.lr=3.0e-3",
        "train.ema_decay=0.5", "train.masks.warmup.sizes=[48]", "data.volumes.slices=4",
        *LOOSE,
    ),
    "figshare_multitask": (
        "preprocess.size=64", *TRUNK, "train.batch=16", "train.head.sizes=[48]",
        "train.finetune.sizes=[48]", "train.finetune.epochs=5", "train.finetune.lr=2.0e-3",
        "train.ema_decay=0.5", "train.masks.warmup.sizes=[48]", *LOOSE,
    ),
    "mri_tumor_binary": (
        "preprocess.size=64", *TRUNK, "train.head.epochs=1", "train.finetune.epochs=3",
        "train.finetune.sizes=[48]", "train.finetune.lr=3.0e-3", "train.ema_decay=0.5",
        "crossval.folds=3", *LOOSE,
    ),
    "ct_binary": (
        "preprocess.size=32", *TRUNK, "train.batch=16", "train.head.epochs=1",
        "train.head.sizes=[32]", "train.finetune.sizes=[32]", "train.finetune.epochs=3",
        "train.finetune.lr=3.0e-3", "train.ema_decay=0.5", "crossval.folds=3",
        "threshold.sens_target=0.5", "threshold.draws=20", "policy.confidence=0.6",
        "guard.refusal=0.2",
    ),
    "mri_tumor_binary_small_cnn": (
        "preprocess.size=64", "train.finetune.epochs=9", "train.finetune.lr=3.0e-3",
        "train.ema_decay=0.5", *LOOSE,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finished:
    """A recipe and the folder of its run."""

    recipe: Recipe
    folder: Path

    @property
    def bundle(self) -> Path:
        """Its revision to be."""
        return self.folder / "export" / "bundle"

    @property
    def dataset(self) -> Path:
        """What it was learnt from and tested on."""
        return self.folder / "split" / "dataset"


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A cache of the Kaggle client, and a folder with what recipes look for below `data.root`."""
    cache, root = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("root")
    heads = list(drawn.pictures(120, 2, seed=11))
    drawn.masoudnickparvar(cache, root, heads)
    drawn.sartajbhuvaji(cache, heads)
    drawn.navoneel(cache, [one for one in heads if one.patient < 96 and one.label != "pituitary"])
    others = list(drawn.pictures(60, 1, seed=12))
    drawn.br35h(cache, others)
    drawn.lgg(cache, drawn.pictures(70, 2, seed=15))
    drawn.brats(root, 60, seed=1000)
    drawn.figshare(root, drawn.pictures(64, 2, seed=19))
    drawn.stroke(cache, others)
    drawn.dementia(cache, drawn.pictures(25, 2, seed=13, label=FREE))
    drawn.folders(root, 40, seed=14)
    write_folder(root / "ct", 62, seed=16, side=64, every=2)
    return cache, root


@pytest.fixture(scope="session")
def finish(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Finished]:
    """`finish(name, *overrides)` is the recipe's run; it is done when it is first asked for."""
    runs = tmp_path_factory.mktemp("runs")
    done: dict[tuple[str, ...], Finished] = {}

    def run(name: str, *overrides: str) -> Finished:
        if name == "phantom":
            return Finished(recipe.load(name, SHORT[name]), request.getfixturevalue("phantom_run"))
        key = (name, *overrides)
        if key not in done:
            cache, root = request.getfixturevalue("sources")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("KAGGLEHUB_CACHE", str(cache))
                patch.setattr("training.statistics.DRAWS", 60)  # intervals have tests of their own
                own = root / "ct" if name == "ct_binary" else root
                given = (*SHORT[name], *overrides, f"data.root={own}")
                found = recipe.load(name, given)
                if found.data.split_seed != "balanced":
                    found = recipe.load(name, (*given, f"data.split_seed={_seed(found)}"))
                pipeline.run(found, runs / f"{name}-{len(done)}")
            done[key] = Finished(found, runs / f"{name}-{len(done)}")
        return done[key]

    return run


def _seed(found: Recipe) -> int:
    """A division under which every split has every class, as the recipe's own has for its data."""
    data, shares = found.data, dict(found.data.shares)
    own = {"ct": Path(data.root), "brats": Path(data.root) / "brats"}
    places = {name: place for name, place in own.items() if name == data.source}
    records = list(Records(found, places).everything())
    if data.scheme == "official":  # what is not the source's own test is divided
        records = [one for one in records if one.official_split != "test"]
        rest = 1 - shares.pop("test")
        shares = {name: share / rest for name, share in shares.items()}
    tied = of_records(records) if data.look_alikes else {}
    names = [tied.get((one.source, one.path)) or one.group or one.path for one in records]
    return balanced_seed(names, [str(one.label) for one in records], shares, range(300))[0]
