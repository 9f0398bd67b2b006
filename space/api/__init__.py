"""The REST API: one process, one port and one thread of judgement with the page."""

from space.api.server import create

__all__ = ["create"]
