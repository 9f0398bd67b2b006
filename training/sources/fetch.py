"""Where a source is on this machine, after fetching it through the Kaggle client if need be."""

from __future__ import annotations

from pathlib import Path

from hub_model.errors import UsageError
from training.sources import SourceError
from training.sources.layout import Source

HOW_TO_FETCH = (
    "set KAGGLE_API_TOKEN to fetch it, KAGGLEHUB_CACHE to a folder that holds it, "
    "or give the folder itself"
)


def locate(source: Source, root: Path | None = None) -> Path:
    """The folder that holds the source.

    Args:
        source: a table entry.
        root: the folder itself, where somebody has it already; None asks the Kaggle client, which
            looks into its cache (KAGGLEHUB_CACHE) before it asks the network.

    Returns:
        An existing folder.

    Raises:
        UsageError: the source has no handle and no folder was given, or it is drawn.
        SourceError: the folder does not exist, or the client could not get the source.
    """
    if source.layout == "phantom":
        raise UsageError(f"source {source.name} is drawn, not read: it has no folder")
    if root is not None:
        if not root.is_dir():
            raise SourceError(
                f"source {source.name}: the folder given is not there: "
                f"{'give one that is (data.root)' if source.pinned is None else HOW_TO_FETCH}"
            )
        return root
    if source.pinned is None:
        where = "" if source.doi is None else f", after fetching doi:{source.doi} by hand"
        raise UsageError(f"source {source.name} is fetched from nowhere: give its folder{where}")
    import kagglehub
    from kagglehub import exceptions
    from requests.exceptions import HTTPError, RequestException

    refusals = (
        exceptions.CredentialError,
        exceptions.UnauthenticatedError,
        exceptions.NotFoundError,
        exceptions.BackendError,
        exceptions.DataCorruptionError,
        RequestException,
        OSError,
        ValueError,
    )
    try:
        return Path(kagglehub.dataset_download(source.pinned))
    except refusals as error:
        answer = error.response if isinstance(error, HTTPError) else None
        raise SourceError(
            f"source {source.name} ({source.pinned}) could not be fetched, "
            f"{_reason(None if answer is None else answer.status_code, error)}: {HOW_TO_FETCH}"
        ) from error


def _reason(status: int | None, error: Exception) -> str:
    """Why the client did not get it, as far as Kaggle's answer says."""
    if status in (401, 403):
        return f"Kaggle refused it ({status}), a token is missing or has no right to it"
    if status == 404:
        return "Kaggle has no such dataset or version (404)"
    if status is not None:
        return f"Kaggle answered {status}"
    return type(error).__name__


def present(source: Source) -> bool:
    """Whether `locate` would find the source without the network: drawn, or whole in the cache."""
    if source.layout == "phantom":
        return True
    if source.pinned is None:
        return False
    from kagglehub.cache import Cache
    from kagglehub.handle import parse_dataset_handle

    return Cache().load_from_cache(parse_dataset_handle(source.pinned)) is not None
