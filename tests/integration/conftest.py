"""The shared virtual board, and the small project of the tests of builds."""

from __future__ import annotations

from tests.boards import board
from tests.integration.builds import project

__all__ = ["board", "project"]
