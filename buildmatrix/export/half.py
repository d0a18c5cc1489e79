"""Weights in half their bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.reference import F32


def half(values: F32) -> NDArray[np.float16]:
    """The nearest of float16's numbers, the largest of them for what is larger still."""
    most = float(np.finfo(np.float16).max)
    return np.clip(values, -most, most).astype(np.float16)
