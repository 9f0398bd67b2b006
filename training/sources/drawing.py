"""What is drawn rather than read, by the name of its source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from training.sources import Record, phantom, phantom_ct
from training.sources.phantom import phantom_records
from training.sources.phantom_ct import ct_records
from training.sources.phantom_ct_strangers import ct_strangers
from training.sources.phantom_strangers import strangers

Heads = Callable[[int, int], Iterator[Record]]  # of how many patients, and a seed
Strangers = Callable[[str, int, int], Iterator[Record]]  # of a kind, how many, and a seed

HEADS: MappingProxyType[str, Heads] = MappingProxyType(
    {phantom.SOURCE: phantom_records, phantom_ct.SOURCE: ct_records}
)
STRANGERS: MappingProxyType[str, Strangers] = MappingProxyType(
    {phantom.SOURCE: strangers, phantom_ct.SOURCE: ct_strangers}
)
