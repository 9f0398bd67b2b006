"""When a progress bar is drawn."""

from __future__ import annotations


def hidden(*, show: bool) -> bool | None:
    """What tqdm takes as `disable`: a bar is drawn where it is wanted and somebody watches.

    Args:
        show: whether it is wanted; in a file of messages it would only be a flood.

    Returns:
        None lets tqdm draw on a terminal alone.
    """
    return None if show else True
