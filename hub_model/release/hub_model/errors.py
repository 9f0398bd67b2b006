"""Every refusal this project can give, with the exit code the command line turns it into.

A message says what was found, what was expected and what to do. It never holds a patient's value or
a path of the machine: the caller knows which file it sent.
"""

from __future__ import annotations


class NeuroguardError(Exception):
    """Base of all refusals; `exit_code` is what a command ends with."""

    exit_code = 1


class UsageError(NeuroguardError):
    """The request itself is wrong: an unknown recipe key, a revision that is not 40 hex digits."""

    exit_code = 2


class InputRejected(NeuroguardError):
    """A file that was handed in cannot be used.

    Args:
        code: stable name of the reason, e.g. ``"zip_ratio"``; the API maps it to a status.
        message: what was found, what was expected, what to do.
        limit: the limit that was passed, if one was.
        actual: the value found, in the limit's unit.
    """

    exit_code = 3

    def __init__(
        self, code: str, message: str, *, limit: float | None = None, actual: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.limit = limit
        self.actual = actual


class BundleError(NeuroguardError):
    """A bundle or revision breaks the contract.

    Args:
        file: name, inside the bundle, of the file at fault.
        message: what was found, what was expected, what to do.
    """

    exit_code = 4

    def __init__(self, file: str, message: str) -> None:
        super().__init__(f"{file}: {message}")
        self.file = file
