"""The images that a recipe asks for, out of the sources it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from training.dataset.splits import side
from training.learning.sampling import evenly
from training.recipe import Recipe, RecipeError, StrangerSpec
from training.sources import NO_FINDING, Record
from training.sources.groups import read_groups
from training.sources.review import Doubt, accepted, doubt, read_review
from training.sources.stream import phantom_records, strangers, stream


@dataclass(frozen=True)
class Records:
    """A recipe's images, read from where they are.

    Args:
        recipe: names the sources.
        places: their folders, by name of the source or of the stranger; one that is missing here
            is asked for from the Kaggle client.
        look_alikes: CSV of the groups that linkage found in the recipe's source; None: the groups
            are those that the recipe or the source states.
    """

    recipe: Recipe
    places: Mapping[str, Path] = field(default_factory=dict)
    look_alikes: Path | None = None

    def learnt(self) -> Iterator[Record]:
        """What is learnt from and tested on: nothing whose label is under doubt."""
        if self.recipe.data.review is None:
            return self.everything()
        return accepted(self.everything(), read_review(self.recipe.data.review))

    def set_aside(self) -> list[tuple[Record, Doubt]]:
        """What is under doubt and would be tested on, each with what speaks against its label."""
        data = self.recipe.data
        if data.review is None:
            return []
        review = read_review(data.review)
        found = []
        for record in self.everything():
            why = doubt(record, review)
            official = record.official_split == "test"
            group = side(record.group or "", data.shares, data.split_seed) == "test"
            if why is not None and (official if data.scheme == "official" else group):
                found.append((record, why))
        return found

    def everything(self) -> Iterator[Record]:
        """The recipe's source as it labels its images, with the recipe's classes."""
        data = self.recipe.data
        if data.patients is not None:
            found = phantom_records(data.patients, self.recipe.seed)
        else:
            stated = None if data.groups is None else Path(data.root) / data.groups
            found = stream(data.source, folder=self.places.get(data.source), groups=stated)
        if self.look_alikes is not None:  # a file that holds no image is in no group
            tied = read_groups(self.look_alikes)
            found = (replace(one, group=tied.get(one.path, one.group)) for one in found)
        return (replace(one, label=self.class_of(one)) for one in found)

    def finding_only(self) -> list[Record]:
        """The sources of which the finding is known and the type is not."""
        names = self.recipe.data.finding_only
        return list(chain.from_iterable(stream(n, folder=self.places.get(n)) for n in names))

    def strange(self, spec: StrangerSpec) -> list[Record]:
        """At most `spec.limit` images of an out-of-domain source, evenly spread over it."""
        if spec.source == "phantom":
            return list(strangers(spec.name, spec.limit, self.recipe.seed))
        found = stream(spec.source, folder=self.places.get(spec.name))
        return evenly(list(found), spec.limit)

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
                f"data.label_from is 'finding' and an image of {recipe.data.source} shows "
                f"{record.finding!r}: finding.name is {recipe.finding.name!r}"
            )
        none = recipe.finding.none_labels[0]
        return none if record.finding == NO_FINDING else record.finding
