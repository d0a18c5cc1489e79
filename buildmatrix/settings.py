"""How a benchmark run is made, as people write it: `run_settings`' list as pydantic models.

None of the settings rebuilds anything.
"""

from __future__ import annotations

from typing import Annotated, Any, get_origin

from pydantic import Discriminator, Field, Tag, create_model

from buildmatrix.run_settings import FIRST_ROUNDS, NAMES, SETTINGS, Setting
from buildmatrix.schema import DISTINCT, Spec


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


def _written(setting: Setting) -> Any:
    """The type of a setting in YAML, with its limits."""
    limits = Field(ge=setting.at_least, le=setting.at_most)
    if get_origin(setting.type) is list:
        return Annotated[list[Annotated[int, limits]], Field(min_length=1), DISTINCT]
    if setting.pattern:
        return Annotated[setting.type, Field(pattern=setting.pattern)]
    plain: Any = setting.type
    if setting.at_least is not None or setting.at_most is not None:
        plain = Annotated[setting.type, limits]
    if not setting.until:
        return plain
    number, until = Annotated[plain, Tag("number")], Annotated[Until, Tag("until")]
    return Annotated[number | until, Discriminator(_form)]


def _model(name: str, *, partial: bool) -> Any:
    """A model with a field for each setting. A partial one's are None where they are left out."""
    fields: dict[str, Any] = {}
    for one in SETTINGS:
        written = _written(one)
        default = Field(None if partial else one.default, description=one.meaning)
        fields[one.name] = (written | None if partial else written, default)
    return create_model(name, __base__=Spec, **fields)


class Settings(_model("Settings", partial=False)):  # type: ignore[misc] # made from the list
    """What a run may be asked for, beside the cells and the model."""

    def chosen(self) -> dict[str, Any]:
        """The settings by name, as a request to a board takes them."""
        values = {name: getattr(self, name) for name in NAMES}
        if isinstance(self.rounds, Until):
            first = {"rounds": FIRST_ROUNDS, "until": self.rounds.share}
            values |= {**first, "at_most": self.rounds.at_most}
        return {**values, "batches": tuple(self.batches)}


class NightlySpec(_model("Partial", partial=True)):  # type: ignore[misc] # made from the list
    """What `inv nightly` measures on, and how; what is left out is as under `bench`."""

    device: str = Field("", description="a name under devices; empty: a virtual board of its own")

    def over(self, settings: Settings) -> Settings:
        """The night's settings: its own, and where it says nothing those given."""
        own = self.model_dump(exclude={"device"}, exclude_defaults=True)
        ruled: Settings = settings.overruled(own)
        return ruled
