"""The shared virtual board."""

from __future__ import annotations

from tests.boards import board

__all__ = ["board"]
