"""The images that a recipe asks for, out of the sources it names."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, repeat
from pathlib import Path

from training.dataset.splits import side
from training.evidence.joined import Joined, Role
from training.evidence.masks_of import with_masks
from training.learning.sampling import evenly
from training.recipe import Recipe, RecipeError, StrangerSpec
from training.sources import NO_FINDING, Record, drawing, patients
from training.sources.groups import read_groups
from training.sources.layout import Detail, LabelFile, Meaning, Volumes
from training.sources.patients import PatientMap
from training.sources.review import Doubt, accepted, doubt, read_review
from training.sources.stream import find, stream
from training.sources.survey import Notes

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Records:
    """A recipe's images, read from where they are.

    Args:
        recipe: names the sources.
        places: their folders, by name of the source or of the stranger; one that is missing here
            is asked for from the Kaggle client.
        look_alikes: CSV of the groups that linkage found in the recipe's source; None: the groups
            are those that the recipe or the source states.
        joined: groups across all sources that the recipe names; None: each source's own.
    """

    recipe: Recipe
    places: Mapping[str, Path] = field(default_factory=dict)
    look_alikes: Path | None = None
    joined: Joined | None = None

    def learnt(self) -> Iterator[Record]:
        """What is divided, learnt from and tested on: nothing whose label is under doubt."""
        data = self.recipe.data
        found = self._here(self.everything(), "divided")
        if data.review is not None:
            found = accepted(found, read_review(data.review))
        if data.masks is not None:
            found = self._masked(found, Path(data.root) / data.masks)
        divided = (one.source for one in data.also if one.role == "divided")
        return chain(found, *map(self._divided, divided))

    def set_aside(self) -> list[tuple[Record, Doubt]]:
        """What is under doubt and would be tested on, each with what speaks against its label."""
        data = self.recipe.data
        if data.review is None:
            return []
        review = read_review(data.review)
        found = []
        for record in self._here(self.everything(), "divided"):
            why = doubt(record, review)
            official = record.official_split == "test"
            group = side(record.group or "", data.shares, data.stated_seed) == "test"
            if why is not None and (official if data.scheme == "official" else group):
                found.append((record, why))
        return found

    def everything(self) -> Iterator[Record]:
        """The recipe's source as it labels its images, with the recipe's classes."""
        data = self.recipe.data
        if data.patients is not None:
            found = drawing.HEADS[data.source](data.patients, self.recipe.seed)
        else:
            stated = None if data.groups is None else Path(data.root) / data.groups
            place, detail = self.places.get(data.source), _detail(self.recipe)
            found = stream(data.source, folder=place, groups=stated, detail=detail)
        if self.look_alikes is not None:  # a file that holds no image is in no group
            tied = read_groups(self.look_alikes)
            found = (replace(one, group=tied.get(one.path, one.group)) for one in found)
        return (replace(one, label=self.class_of(one)) for one in found)

    def finding_only(self) -> list[Record]:
        """The sources of which the finding is known and the type is not.

        None of their images shares a group with one outside training.
        """
        return self._learnt_only(self.recipe.data.finding_only)

    def also(self) -> list[Record]:
        """The other sources that are learnt from only, with their classes; groups as above."""
        names = [one.source for one in self.recipe.data.also if one.role == "train"]
        return [replace(one, label=self.class_of(one)) for one in self._learnt_only(names)]

    def left_out(self, source: str) -> list[Record]:
        """A source never learnt from, without what shares a group with anything that was.

        With it come the images of the recipe's own source that belong to it by their origin.
        """
        data = self.recipe.data
        spec = next(one for one in data.left_out if one.source == source)
        found = self._stream(source)
        if spec.origin is not None:
            found = chain(found, self._here(self.everything(), "left_out"))
        alone = frozenset({"left_out"})
        return [one for one in self._grouped(found) if self._roles(one) in (alone, frozenset())]

    def of_all_sources(self) -> list[Iterator[tuple[Record, Role]]]:
        """The images of every source that the recipe names, for `joined.join`."""
        data = self.recipe.data
        named: list[tuple[str, Role]] = [(name, "train") for name in data.finding_only]
        named += [(one.source, one.role) for one in data.also]
        named += [(one.source, "left_out") for one in data.left_out]
        own = ((one, self._role(one)) for one in self.everything())
        return [own, *(zip(self._stream(name), repeat(role)) for name, role in named)]

    def strange(self, spec: StrangerSpec) -> list[Record]:
        """At most `spec.limit` images of an out-of-domain source, evenly spread over it."""
        if spec.source in drawing.STRANGERS:
            return list(drawing.STRANGERS[spec.source](spec.name, spec.limit, self.recipe.seed))
        found = stream(spec.source, folder=self.places.get(spec.name))
        return evenly(list(found), spec.limit)

    def _masked(self, records: Iterable[Record], folder: Path) -> Iterator[Record]:
        if not folder.is_dir():
            raise RecipeError(
                f"data.masks: no folder {self.recipe.data.masks!r} below data.root: put the masks "
                "there, or leave the key out"
            )
        notes = Notes()
        yield from with_masks(records, folder, self._patients(), notes)
        for sentence in notes:
            _LOG.info(sentence)

    def _stream(self, name: str) -> Iterator[Record]:
        return stream(name, folder=self.places.get(name))

    def _patients(self) -> PatientMap:
        """The patient map that is shipped for the recipe's source.

        Raises:
            RecipeError: there is none, and the recipe asks for what it states.
        """
        name = find(self.recipe.data.source).patients
        if name is None:
            raise RecipeError(
                f"no patient map is shipped for {self.recipe.data.source}: leave data.masks and "
                "data.left_out.*.origin out"
            )
        return patients.read(name)

    def origin(self, source: str, path: str) -> str:
        """The source that an image first came from.

        The recipe's own source may have taken it over from another of its sources, as its patient
        map says; else it is the one that it was read from.
        """
        known = self._origins.get(path) if source == self.recipe.data.source else None
        return known if known in self.recipe.data.sources else source

    @cached_property
    def _origins(self) -> Mapping[str, str]:
        """Origin of every image of the recipe's source, by its path; empty where none is known."""
        data = self.recipe.data
        asked = any(one.origin is not None for one in data.left_out)
        if not asked and (data.patients is not None or find(data.source).patients is None):
            return {}
        known = self._patients()
        return {path: known.by_pixels[of].origin for path, of in known.by_path.items()}

    def _role(self, record: Record) -> Role:
        """Of an image of the recipe's own source."""
        leaving = {one.origin for one in self.recipe.data.left_out if one.origin is not None}
        return "left_out" if self._origins.get(record.path) in leaving else "divided"

    def _here(self, records: Iterable[Record], role: Role) -> Iterator[Record]:
        """Those of the recipe's own images that have the role, under their joined groups."""
        return self._grouped(one for one in records if self._role(one) == role)

    def _grouped(self, records: Iterable[Record]) -> Iterator[Record]:
        if self.joined is None:
            yield from records
            return
        for record in records:
            yield replace(record, group=self.joined.group(record))

    def _roles(self, record: Record) -> frozenset[Role]:
        """The roles of the images of its group; empty where groups are not joined."""
        if self.joined is None:
            return frozenset()
        return self.joined.roles.get(record.group or "", frozenset())

    def _divided(self, name: str) -> Iterator[Record]:
        """Another source, divided with the recipe's own.

        Raises:
            RecipeError: it does not state the class of an image, which test images need.
        """
        for record in self._grouped(self._stream(name)):
            label = self.class_of(record)
            if label is None:
                raise RecipeError(
                    f"data.also divides {name}, and an image of it has no class of the recipe's: "
                    "give it role train"
                )
            yield replace(record, label=label)

    def _learnt_only(self, names: Iterable[str]) -> list[Record]:
        data, kept = self.recipe.data, []
        for record in self._grouped(chain.from_iterable(map(self._stream, names))):
            divided = "divided" in self._roles(record)
            where = side(record.group or "", data.shares, data.stated_seed) if divided else "train"
            if where == "train" and not (divided and data.scheme == "official"):
                kept.append(record)
        return kept

    def class_of(self, record: Record) -> str | None:
        """Name of an image's class, or None where its source does not say it.

        Raises:
            RecipeError: classes are made from the finding, and this one is not the recipe's.
        """
        recipe = self.recipe
        if recipe.data.label_from == "type":
            return record.label
        if record.finding is None:
            return None
        if record.finding not in (NO_FINDING, recipe.finding.name):
            raise RecipeError(
                f"data.label_from is 'finding' and an image of {record.source} shows "
                f"{record.finding!r}: finding.name is {recipe.finding.name!r}"
            )
        none = recipe.finding.none_labels[0]
        return none if record.finding == NO_FINDING else record.finding


def _detail(recipe: Recipe) -> Detail | None:
    """What the reader of the recipe's own source has to know of it, where it has to."""
    data = recipe.data
    if data.volumes is not None:
        return Volumes(data.volumes.sequences, data.volumes.slices)
    return label_file(recipe)


def label_file(recipe: Recipe) -> LabelFile | None:
    """Where the labels of source "ct" stand, as its reader takes it."""
    spec = recipe.data.labels
    if spec is None:
        return None
    classes = {label: Meaning(None, NO_FINDING) for label in spec.none}
    classes |= {label: Meaning(None, recipe.finding.name) for label in spec.finding}
    return LabelFile(spec.name, spec.column, spec.id_column, classes)
