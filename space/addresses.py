"""Files as `data:` addresses: what a page shows or gives along is written to no disk."""

from __future__ import annotations

import base64

PNG = "image/png"


def address(kind: str, data: bytes) -> str:
    """A whole file as an address.

    Args:
        kind: media type, with a charset where it is text.
        data: the file.
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
