"""Uploaded files in, a verdict out as HTML or JSON, and nothing of the files kept.

An upload is deleted as soon as it was read. What goes wrong is said without a file name: a refusal
in its own words, anything else as a number that stands in the log beside the kind of error. Knows
nothing about gradio.
"""

from __future__ import annotations

import logging
import secrets
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_model.case import Case
from hub_model.errors import InputRejected
from hub_model.policy import Decision
from hub_model.reading import read_case
from space import batch, case_report, fragments, measures
from space.batch import Row
from space.metrics import Metrics
from space.pictures import pictures
from space.revisions import Revisions, Served, UnknownModelError
from space.turns import Turns

MAX_BATCH = 100  # cases of one batch

logger = logging.getLogger("neuroguard.space")


class NotJudgedError(Exception):
    """No verdict was reached; the message is for whoever sent the files.

    Args:
        code: stable name of the reason, "failure" where it is ours.
        message: what was found, what was expected, what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Service:
    """What the page and its endpoint ask.

    Args:
        revisions: those that are served.
        turns: the one thread that reads and judges.
        metrics: where verdicts and refusals are counted.
    """

    def __init__(self, revisions: Revisions, turns: Turns, metrics: Metrics) -> None:
        self.revisions = revisions
        self._turns = turns
        self._metrics = metrics

    def page(self, paths: Sequence[str], name: str | None = None) -> str:
        """The result on one case as HTML, or the reason why there is none.

        Args:
            paths: uploads; they are deleted.
            name: of the model; None: the default.
        """

        def work() -> str:
            began = time.monotonic()
            case = _read_and_delete(paths)
            found = served.classifier.explain(case)
            self._metrics.decided(served.name, found.decision, time.monotonic() - began)
            shown = pictures(found.images, found.maps)
            rows = measures.judged(case, served.model.bundle)
            body = fragments.result(found.decision, served.model, case.warnings, shown, rows)
            answer = {**found.decision.to_dict(), "warnings": list(case.warnings)}
            return body + case_report.links(body, served.model, answer)

        try:
            with self._said():
                served = self.revisions.choose(name)
                return self._turns.run(work)
        except NotJudgedError as error:
            return fragments.not_judged(str(error))

    def answer(self, paths: Sequence[str], name: str | None = None) -> dict[str, Any]:
        """The verdict on one case as JSON values: `Decision.to_dict` and the files' warnings.

        Raises:
            NotJudgedError: the upload cannot be used, or something failed here.
        """

        def work() -> dict[str, Any]:
            began = time.monotonic()
            case = _read_and_delete(paths)
            decision = served.classifier.predict(case)
            self._metrics.decided(served.name, decision, time.monotonic() - began)
            return {**decision.to_dict(), "warnings": list(case.warnings)}

        with self._said():
            served = self.revisions.choose(name)
            return self._turns.run(work)

    def batch(self, paths: Sequence[str], name: str | None = None) -> str:
        """A table of verdicts as HTML, each file a case; a turn each, so that others come between.

        Args:
            paths: uploads; they are deleted.
            name: of the model; None: the default.
        """
        try:
            with self._said():
                served = self.revisions.choose(name)
                if len(paths) > MAX_BATCH:
                    raise InputRejected(
                        "too_many_cases",
                        f"{len(paths)} files, limit {MAX_BATCH}: send several batches",
                        limit=MAX_BATCH,
                        actual=len(paths),
                    )
                rows = [self._row(served, n, path) for n, path in enumerate(paths, start=1)]
                return batch.html(rows, served.model)
        except NotJudgedError as error:
            return fragments.not_judged(str(error))
        finally:
            for path in paths:
                Path(path).unlink(missing_ok=True)

    def _row(self, served: Served, number: int, path: str) -> Row:
        """One file's row."""

        def work() -> Decision:
            began = time.monotonic()
            decision = served.classifier.predict(_read_and_delete([path]))
            self._metrics.decided(served.name, decision, time.monotonic() - began)
            return decision

        try:
            with self._said():
                return Row(number, self._turns.run(work), None)
        except NotJudgedError as error:
            return Row(number, None, str(error))

    @contextmanager
    def _said(self) -> Iterator[None]:
        """As `said_without_names`, and counted."""
        try:
            with said_without_names():
                yield
        except NotJudgedError as error:
            self._metrics.refused(error.code)
            raise


def _read_and_delete(paths: Sequence[str]) -> Case:
    files = [Path(path) for path in paths]
    try:
        if not files:
            raise InputRejected("no_file", "no file was sent: send the files of one case")
        if not all(file.is_file() for file in files):  # another user sent the very same file
            raise InputRejected("gone", "the upload is no longer here: send the files again")
        return read_case(files)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


@contextmanager
def said_without_names() -> Iterator[None]:
    """Turn refusals and failures into `NotJudgedError`; the outermost handler of a request.

    Raises:
        NotJudgedError: in place of whatever was raised inside.
    """
    try:
        yield
    except InputRejected as error:
        raise NotJudgedError(error.code, str(error)) from None
    except UnknownModelError as error:
        raise NotJudgedError("unknown_model", str(error)) from None
    except Exception as error:
        number = secrets.token_hex(4)
        # The message may quote a path or a value of the file; kind and place cannot.
        places = (
            f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)
        )
        logger.error("failure %s: %s at %s", number, type(error).__name__, " > ".join(places))
        raise NotJudgedError(
            "failure",
            f"something failed here while the case was judged (number {number}): try again, and "
            "give the number to whoever runs this Space",
        ) from None
