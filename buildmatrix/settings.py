"""How a benchmark run is made: the one list of its settings, with their limits and meanings.

matrix.yaml's `bench`, its `nightly`, the request to a board, the archive of a row and the flags of
`inv bench` are all made from it. None of them rebuilds anything.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, create_model

from buildmatrix.schema import Spec

Count = Annotated[int, Field(ge=1)]
FIRST_ROUNDS = (
    8  # of a run without a fixed number: what a verdict on 27 rows takes (docs/statistics.md)
)


class Until(Spec):
    """Go on until every row's interval is narrow enough. Whoever collects the run judges that, so
    between the first rounds and the last `inv bench --collect` must be there."""

    until: Annotated[
        str,
        Field(
            pattern=r"^([1-9][0-9]?(\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*) ?%$",
            description="half of the 95 % interval of a row's mean, of that mean: 1 %",
        ),
    ]
    at_most: Annotated[int, Field(ge=FIRST_ROUNDS, le=1000, description="rounds")] = 30

    @property
    def share(self) -> float:
        """0.01 for '1 %'."""
        return float(self.until.rstrip("% ")) / 100


def _form(value: object) -> str:
    return "until" if isinstance(value, dict | Until) else "number"


Rounds = Annotated[
    Annotated[Count, Tag("number")] | Annotated[Until, Tag("until")], Discriminator(_form)
]


class Settings(Spec):
    """What a run may be asked for, beside the cells and the model."""

    batches: Annotated[list[Count], Field(min_length=1)] = [1, 2, 4]
    rounds: Rounds = Field(
        5, description="turns of every cell at every batch; or until their intervals are narrow"
    )
    passes: Annotated[int, Field(ge=1, description="timed forward passes of one turn")] = 20
    warmup: Annotated[int, Field(ge=0)] = 5
    threads: Annotated[int, Field(ge=1, le=1024)] = 4
    seed: int = 1
    retakes: Annotated[int, Field(ge=0, description="extra rounds for void blocks")] = 2
    governor: bool = Field(
        default=True, description="set it to performance, where we have the rights"
    )
    wireless: Literal["keep", "off"] = "keep"
    cool_down: Annotated[int, Field(ge=0, le=150)] = Field(
        0, description="before each block, wait until the board has so many °C; 0: do not wait"
    )
    max_celsius: Annotated[int, Field(ge=0, le=150)] = Field(
        0, description="a block that began or ended hotter is void; 0: whatever the temperature"
    )

    def chosen(self) -> dict[str, Any]:
        """The settings by name, as a request to a board takes them."""
        values = {name: getattr(self, name) for name in Settings.model_fields}
        if isinstance(self.rounds, Until):
            first = {"rounds": FIRST_ROUNDS, "until": self.rounds.share}
            values |= {**first, "at_most": self.rounds.at_most}
        return {**values, "batches": tuple(self.batches)}


def _partial() -> Any:
    """The same, where each may be left out: the fields of `Settings`, none with a value."""
    fields: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        bounds = tuple(field.metadata)
        limited: Any = Annotated[(field.annotation, *bounds)] if bounds else field.annotation
        fields[name] = (limited | None, None)
    return create_model("Partial", __base__=Spec, **fields)


class NightlySpec(_partial()):  # type: ignore[misc] # its fields are made from Settings
    """What `inv nightly` measures on, and how; what is left out is as under `bench`."""

    device: str = Field("", description="a name under devices; empty: a virtual board of its own")

    def over(self, settings: Settings) -> Settings:
        """The night's settings: its own, and where it says nothing those given."""
        return settings.overruled(self.model_dump(exclude={"device"}, exclude_defaults=True))
