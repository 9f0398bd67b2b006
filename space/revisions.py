"""The revisions that are served, by name; the first is asked where a request names none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from hub_model.errors import UsageError
from hub_model.predictor import GuardedClassifier
from space.report import Model

FOLDER = "bundle"  # name of a bundle that came from a folder


class UnknownModelError(Exception):
    """No revision of that name is served.

    Args:
        known: the names that are.
    """

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__(f"no such model is served here: choose one of {', '.join(known)}")


@dataclass(frozen=True, eq=False)
class Served:
    """One revision, ready to answer.

    Args:
        classifier: loaded and verified.
        repo_id: "owner/name" it came from, or None for a folder.
    """

    classifier: GuardedClassifier
    repo_id: str | None

    @property
    def name(self) -> str:
        """What a request calls it: its repository, or "bundle" for a folder."""
        return self.repo_id or FOLDER

    @cached_property
    def model(self) -> Model:
        """What page and API say of it."""
        return Model(self.repo_id, self.classifier.revision, self.classifier.bundle)


class Revisions:
    """Everything that is served.

    Args:
        served: at least one; no two of one name.

    Raises:
        UsageError: none, or two of one name.
    """

    def __init__(self, served: Sequence[Served]) -> None:
        self._by_name = {one.name: one for one in served}
        if not served or len(self._by_name) < len(served):
            raise UsageError(
                f"{len(served)} models of {len(self._by_name)} names: give at least one, and each "
                "repository once"
            )

    def __iter__(self) -> Iterator[Served]:
        return iter(self._by_name.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, the default first."""
        return tuple(self._by_name)

    def choose(self, name: str | None) -> Served:
        """The one of that name; None: the first.

        Raises:
            UnknownModelError: there is none of that name.
        """
        if name is None:
            return self._by_name[self.names[0]]
        if name not in self._by_name:
            raise UnknownModelError(self.names)
        return self._by_name[name]
