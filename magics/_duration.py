"""Durations as people type them."""

from stepwell.flow import seconds

__all__ = ["seconds"]
