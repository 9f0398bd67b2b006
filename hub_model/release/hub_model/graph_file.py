"""Where an ONNX graph takes its weights from, read without any ONNX library.

An engine opens whatever file a graph names. A bundle's graph may name its own weights in the bundle
and nothing else, so the names are read first, out of the protocol buffer itself. Field numbers are
those of onnx.proto, IR version 10: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub_model.errors import BundleError

VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5  # wire types of a protocol buffer
EXTERNAL_DATA = 13  # of a tensor: pairs of a key and a value
MAX_DEPTH = 32  # of messages within messages
# Kind of message: field number to the kind of the messages in it. All else holds no tensor.
WITHIN = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {EXTERNAL_DATA: "pair"},
    "pair": {},
}


@dataclass(frozen=True)
class Place:
    """Bytes outside the graph: those of a file, from `offset` on."""

    location: str
    offset: int
    length: int


def verify(folder: Path, graph: str, weights: str) -> None:
    """Refuse a graph that takes bytes from anywhere but inside its own weights.

    Args:
        folder: of the bundle.
        graph: its file's name.
        weights: name of the file that it may take bytes from.

    Raises:
        BundleError: it names another file, or bytes beyond the end, or is no graph.
    """
    for place in places((folder / graph).read_bytes(), graph):
        if place.location != weights:
            raise BundleError(
                graph,
                f"takes weights from {place.location!r}, allowed is {weights}: export the bundle "
                "again",
            )
        size = (folder / place.location).stat().st_size
        if min(place.offset, place.length) < 0 or place.offset + place.length > size:
            raise BundleError(
                graph,
                f"takes bytes {place.offset} to {place.offset + place.length} of "
                f"{place.location}, which has {size}: export the bundle again",
            )


def places(content: bytes, graph: str) -> list[Place]:
    """Every tensor's place outside the graph.

    Args:
        content: of the file.
        graph: its name, for what is wrong with it.

    Raises:
        BundleError: the bytes are no ONNX graph.
    """
    try:
        return [_place(pairs) for pairs in _tensors(memoryview(content), "model", 0)]
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise BundleError(graph, f"cannot be read as an ONNX graph: {error}") from error


def _place(pairs: dict[str, str]) -> Place:
    """A tensor's place as its pairs say; a key that is missing means as in onnx.proto."""
    return Place(
        pairs.get("location", ""), int(pairs.get("offset", 0)), int(pairs.get("length", 0))
    )


def _tensors(message: memoryview, kind: str, depth: int) -> Iterator[dict[str, str]]:
    """Keys and values of every tensor's external data, at any depth."""
    if depth > MAX_DEPTH:
        raise ValueError(f"messages are nested deeper than {MAX_DEPTH}")
    pairs: dict[str, str] = {}
    for number, value in _fields(message):
        inner = WITHIN[kind].get(number)
        if inner == "pair":
            key, text = (bytes(part).decode() for part in _pair(value))
            pairs[key] = text
        elif inner is not None:
            yield from _tensors(value, inner, depth + 1)
    if pairs:
        yield pairs


def _pair(message: memoryview) -> tuple[memoryview, memoryview]:
    found = dict(_fields(message))
    return found.get(1, memoryview(b"")), found.get(2, memoryview(b""))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of each length-delimited field; others are passed over."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            _, at = _varint(message, at)
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            at += 8 if wire == EIGHT_BYTES else 4
        elif wire == DELIMITED:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("it ends within a field")
            yield number, message[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire} is not of a protocol buffer")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number is longer than ten bytes")
