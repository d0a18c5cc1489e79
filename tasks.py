"""`inv` finds its commands here; they are the same as `buildmatrix`'s."""

from buildmatrix.cli import namespace as ns

__all__ = ["ns"]
