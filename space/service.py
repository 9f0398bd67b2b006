"""Uploaded files in, a verdict out as HTML or as values, and nothing of the files kept.

An upload is deleted as soon as it was read. What goes wrong is said without a file name: a refusal
in its own words, anything else as a number that stands in the log beside the kind of error. Knows
nothing about gradio.
"""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from hub_model.case import Case
from hub_model.errors import InputRejected
from hub_model.reading import read_case
from hub_model.reading.series import SeveralSeriesError
from space import batch, case_report, choice, fragments, model_page, segment_page, stack
from space.batch import Row
from space.judging import Judge, Reading, Seen
from space.metrics import Metrics
from space.pictures import pictures
from space.revisions import Revisions, Served, UnknownModelError
from space.shelf import Sender, Shelf
from space.turns import Turns

WAITS = "Waiting for its turn: other cases are being judged."
JUDGED = "The files are being read and judged."
STEP = 0.5  # seconds after which whoever waits is told again, and can have left

Result = TypeVar("Result")

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


class SeveralError(Exception):
    """Several series were sent, whose sender can choose one; no refusal.

    Args:
        several: what was found.
    """

    def __init__(self, several: SeveralSeriesError) -> None:
        super().__init__(str(several))
        self.found = several.found


class Service:
    """What the page and its endpoints ask.

    What is shown comes as an iterator: first how far it is, the result last. Whoever stops
    listening gives the turn back if it has not come.

    Args:
        revisions: those that are served.
        turns: the one thread that reads and judges.
        metrics: where verdicts and refusals are counted.
    """

    def __init__(self, revisions: Revisions, turns: Turns, metrics: Metrics) -> None:
        self.revisions = revisions
        self._turns = turns
        self._metrics = metrics
        self._judge = Judge(metrics)
        self._shelf = Shelf()

    def case(
        self, paths: Sequence[str], name: str | None = None, sender: Sender | None = None
    ) -> Iterator[str]:
        """The result on one case as HTML, or the reason why there is none.

        Args:
            paths: uploads; they are deleted.
            name: of the model; None: the default.
            sender: who can choose among several series; None: they are refused.
        """
        return self._shown(_case, paths, name, sender)

    def stack(
        self, paths: Sequence[str], name: str | None = None, sender: Sender | None = None
    ) -> Iterator[str]:
        """The same for all slices of one patient: the verdict, and what each slice adds to it."""
        return self._shown(stack.html, paths, name, sender)

    def masks(
        self, paths: Sequence[str], name: str | None = None, sender: Sender | None = None
    ) -> Iterator[str]:
        """The same with masks, sizes and how sure both are, of a model that draws them."""

        def show(seen: Seen) -> str:
            return segment_page.of(self.revisions.choose(name).classifier, seen)

        return self._shown(show, paths, name, sender)

    def about(self, name: str | None = None) -> str:
        """What a model says of itself, and how what it judged lately compares, as HTML."""
        served = self.revisions.choose(name)
        return model_page.html(served.model, self._metrics.recent.of(served.name))

    def leave(self, session: str) -> None:
        """Delete what a session has not chosen from."""
        self._shelf.leave(session)

    def batch(self, paths: Sequence[str], name: str | None = None) -> Iterator[str]:
        """A table of verdicts as HTML, each file a case; a turn each, so that others come between.

        Args:
            paths: uploads; they are deleted.
            name: of the model; None: the default.
        """
        rows: list[Row] = []
        try:
            yield fragments.working(f"0 of {len(paths)} files judged.")
            for found in self.ask_each(self._judge.decide, paths, name):
                number, model = len(rows) + 1, self.revisions.choose(name).model
                rows.append(
                    Row(number, None, str(found))
                    if isinstance(found, NotJudgedError)
                    else Row(number, found.decision, None)
                )
                done = fragments.working(f"{number} of {len(paths)} files judged.")
                yield ("" if number == len(paths) else done) + batch.html(rows, model)
        except NotJudgedError as error:
            yield fragments.not_judged(str(error))

    def ask(
        self,
        question: Callable[[Served, Reading], Result],
        paths: Sequence[str],
        name: str | None = None,
    ) -> Result:
        """The answer to a question about one case.

        Args:
            question: of the desk, such as `Desk.classify`.
            paths: uploads; they are deleted.
            name: of the model; None: the default.

        Raises:
            NotJudgedError: the upload cannot be used, or something failed here.
        """
        with self._handled(paths):
            served = self.revisions.choose(name)
            return self._turns.run(partial(question, served, partial(_read_and_delete, paths)))

    def ask_each(
        self,
        question: Callable[[Served, Reading], Result],
        paths: Sequence[str],
        name: str | None = None,
    ) -> Iterator[Result | NotJudgedError]:
        """The answers, or why there is none, for files that are a case each; a turn each.

        Raises:
            NotJudgedError: there are too many files, or none.
        """
        with self._handled(paths):
            self.revisions.choose(name)
            batch.check_size(len(paths))
            for path in paths:
                try:
                    yield self.ask(question, [path], name)
                except NotJudgedError as error:
                    yield error

    def _shown(
        self,
        show: Callable[[Seen], str],
        paths: Sequence[str],
        name: str | None,
        sender: Sender | None,
    ) -> Iterator[str]:
        if sender is None:
            yield from self._judged(show, name, paths, partial(_read_and_delete, paths))
        elif sender.series is None:
            keep = partial(self._shelf.keep, sender.place)
            yield from self._judged(show, name, paths, partial(_read_and_delete, paths, keep=keep))
        else:
            with self._shelf.taken(sender.place) as kept:
                read = partial(_read_and_delete, kept, series=sender.series)
                yield from self._judged(show, name, kept, read)

    def _judged(
        self, show: Callable[[Seen], str], name: str | None, paths: Sequence[str], read: Reading
    ) -> Iterator[str]:
        try:
            with self._handled(paths):
                served = self.revisions.choose(name)
                work = self._turns.submit(lambda: show(self._judge.explain(served, read)))
                try:
                    while not work.done():
                        yield fragments.working(JUDGED if work.running() else WAITS)
                        wait([work], timeout=STEP)
                finally:
                    work.cancel()
                yield work.result()
        except SeveralError as several:
            yield choice.html(several.found)
        except NotJudgedError as error:
            yield fragments.not_judged(str(error))

    @contextmanager
    def _handled(self, paths: Sequence[str]) -> Iterator[None]:
        """As `said_without_names`, and counted; at the end no upload is left, whatever happened."""
        try:
            with said_without_names():
                yield
        except NotJudgedError as error:
            self._metrics.refused(error.code)
            raise
        finally:
            for path in paths:
                Path(path).unlink(missing_ok=True)


def _case(seen: Seen) -> str:
    """The verdict on a case, what it rests on, and its report to take along."""
    shown = pictures(seen.explained.images, seen.explained.maps, apart=True)
    body = fragments.result(seen.decision, seen.model, seen.case.warnings, shown, seen.rows)
    return body + case_report.links(body, seen.model, seen.judgement.to_dict())


def _read_and_delete(
    paths: Sequence[str],
    *,
    series: int | None = None,
    keep: Callable[[Sequence[Path]], None] | None = None,
) -> Case:
    """The case in some files, which are deleted.

    Args:
        paths: of the files.
        series: which of several is read.
        keep: takes the files where there are several and none was chosen.
    """
    files = [Path(path) for path in paths]
    try:
        if not files and series is None:
            raise InputRejected("no_file", "no file was sent: send the files of one case")
        if not files or not all(
            file.is_file() for file in files
        ):  # another user sent the very same file
            raise InputRejected("gone", "the upload is no longer here: send the files again")
        return read_case(files, series=series)
    except SeveralSeriesError as several:
        if keep is None:
            raise
        keep(files)
        raise SeveralError(several) from None
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
    except SeveralError:
        raise
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
