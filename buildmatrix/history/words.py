"""Figures of a history in words: as the report writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.nouns import INSTRUCTIONS
from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from buildmatrix.history.series import Interval
    from buildmatrix.nouns import Metric


def unit(metric: Metric) -> str:
    return "M instructions an image" if metric is INSTRUCTIONS else metric.unit


def figure(metric: Metric, value: float) -> str:
    """Milliseconds, or millions of instructions.

    >>> from buildmatrix.nouns import TIME
    >>> figure(TIME, 40.123), figure(INSTRUCTIONS, 40.123e6)
    ('40.12', '40.12')
    """
    return time_text(value / 1e6 if metric is INSTRUCTIONS else value)


def span(metric: Metric, interval: Interval | None) -> str:
    """' (39.9 to 40.3)', or nothing where the blocks were too few for an interval."""
    if interval is None:
        return ""
    return f" ({figure(metric, interval[0])} to {figure(metric, interval[1])})"


def percent(share: float) -> str:
    """A change to a tenth of a percent, with its sign.

    >>> percent(0.0512), percent(-0.03)
    ('+5.1 %', '-3.0 %')
    """
    return f"{100 * share:+.1f} %"
