"""The reader of every layout of files: the one place that picks one.

A reader is imported when a source needs it, as h5py, nibabel and pydicom take their time.
"""

from __future__ import annotations

import importlib
from typing import cast

from training.sources.layout import Layout, Source
from training.sources.survey import Reader

READERS: dict[Layout, str] = {
    "class_folders": "class_folders",
    "named_folders": "named_folders",
    "outlines": "outlines",
    "npz": "npz",
    "matlab": "matlab",
    "lgg": "lgg",
    "brats": "brats",
    "ct": "ct",
    "folder": "any_folder",
}  # "hub" has no folder, and "phantom" is drawn


def reader(source: Source) -> Reader:
    """The module that reads the source's layout."""
    return cast(Reader, importlib.import_module(f"training.sources.{READERS[source.layout]}"))
