"""The one list of what a benchmark run may be asked for, with limits and meanings.

matrix.yaml's `bench` and `nightly` and their schemas (`settings`), the flags of `inv bench`
(`cli.run_flags`), the request to a board and the archive of a row all take their names from here.
Only the standard library is imported: the flags are made at every start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# Of a run without a fixed number: what a verdict on 27 rows takes (docs/statistics.md).
FIRST_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag without a value, for a setting that is hardly ever anything but its default."""

    flag: str  # as a parameter: keep_governor
    value: object  # of the setting, when the flag is given
    meaning: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a run. Limits of a list are those of its elements; it is never empty."""

    name: str
    default: Any
    meaning: str  # for an editor, and for the flag's help
    type: Any = int
    at_least: int | None = None
    at_most: int | None = None
    until: bool = False  # instead of a number: until intervals are narrow (`settings.Until`)
    pattern: str = ""  # of a text
    spelt: str = ""  # how the flag is written, where that is not a whole number
    switch: Switch | None = None

    @property
    def flag(self) -> str:
        """The parameter of a command that sets it."""
        return self.switch.flag if self.switch else self.name


SETTINGS = (
    Setting(
        "batches",
        [1, 2, 4],
        "batch sizes that every cell is measured at",
        type=list[int],
        at_least=1,
        spelt="with commas between, as 1,8 (default: the matrix's)",
    ),
    Setting(
        "rounds",
        5,
        "turns of every cell at every batch size, each round in an order of its own; or until "
        "their intervals are narrow",
        at_least=1,
        until=True,
        spelt="1%:30 goes on until each interval is within 1 % of its mean, at most 30 (with "
        "--collect)",
    ),
    Setting("passes", 20, "timed forward passes of one turn", at_least=1),
    Setting("warmup", 5, "untimed passes before them", at_least=0),
    Setting(
        "settle",
        default=False,
        meaning="leave out passes at the beginning of a block that are still slower than the rest",
        type=bool,
        switch=Switch(
            "settle",
            value=True,
            meaning="leave out passes at the beginning of a block that are still slower than the "
            "rest, besides those of --warmup",
        ),
    ),
    Setting("threads", 4, "threads of the BLAS or engine", at_least=1, at_most=1024),
    Setting(
        "cores",
        "all",
        "processors that a run is bound to: all, little, big (the strongest kind), or numbers",
        type=str,
        pattern=r"^(all|little|big|[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*)$",
        spelt="as 0-3 or 0,4-5",
    ),
    Setting("seed", 1, "of the order; recorded with the run"),
    Setting("retakes", 2, "extra rounds, at the most, for blocks that were disturbed", at_least=0),
    Setting(
        "governor",
        default=True,
        meaning="set the clock's governor to performance, where we have the rights",
        type=bool,
        switch=Switch(
            "keep_governor",
            value=False,
            meaning="leave the clock's governor alone even where we may set it",
        ),
    ),
    Setting(
        "wireless",
        "keep",
        "the board's wireless meanwhile; to switch it off needs rights there",
        type=Literal["keep", "off"],
        switch=Switch(
            "wireless_off", "off", "switch the board's wireless off meanwhile; needs rights there"
        ),
    ),
    Setting(
        "cool_down",
        0,
        "before each block the board waits, 10 minutes at most, to be as cool (°C); 0: not at all",
        at_least=0,
        at_most=150,
    ),
    Setting(
        "max_celsius",
        0,
        "a block that began or ended hotter is void and taken again; 0: whatever the temperature",
        at_least=0,
        at_most=150,
    ),
    Setting(
        "layers",
        default=False,
        meaning="ask each stack that can tell what its layers take, after the timed passes",
        type=bool,
        switch=Switch(
            "layers",
            value=True,
            meaning="ask each stack that can tell what its layers take, after the timed passes",
        ),
    ),
)
NAMES = tuple(one.name for one in SETTINGS)
