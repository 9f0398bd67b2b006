"""Files that come as text."""

from __future__ import annotations

import base64
import binascii

from hub_model.errors import InputRejected


def decoded(text: str) -> bytes:
    r"""The bytes of a file that was written in base64, with or without line breaks.

    Raises:
        InputRejected: ``"bad_base64"``.

    Example:
        >>> decoded("aGVh\nZA==")
        b'head'
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)  # tools break lines at 76
    except (binascii.Error, ValueError):
        raise InputRejected(
            "bad_base64",
            "a string that is not base64: send the file's bytes in base64 and nothing around them; "
            "addresses and paths are not followed",
        ) from None
