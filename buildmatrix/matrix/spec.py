"""matrix.yaml as it is written: what may stand in it, and its words for an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from buildmatrix.schema import DISTINCT, Spec
from buildmatrix.selector import Value, Values
from buildmatrix.settings import NightlySpec, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

CELL_ID = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"  # safe as a file name here and on the board


class Open(BaseModel):
    """An entry whose other keys are variables."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, defer_build=True)

    @property
    def variables(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class IncludeSpec(Open):
    """One more cell: its name and every variable it needs."""

    # Said by `_combinations`, in a sentence; an editor is told by the schema.
    model_config = ConfigDict(json_schema_extra={"required": ["name"]})

    __pydantic_extra__: dict[str, Value]
    name: str = Field("", description="the cell's id; an include is a whole cell")


class ExcludeSpec(Open):
    """Drops the combinations that it matches. Lists and globs; a reason is a must."""

    __pydantic_extra__: dict[str, Values]
    reason: Annotated[str, Field(min_length=1, description="why; `cells` shows it")]


class BenchSpec(Settings):
    """Which models are measured, and how; nothing here ever rebuilds anything."""

    model: Annotated[str | Annotated[list[str], Field(min_length=1)], DISTINCT] = Field(
        default="face-cnn", description="folders of models/; cells of a second one end in its name"
    )

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([self.model] if isinstance(self.model, str) else self.model))


class PowerSpec(Spec):
    """What reads a board's power while it is measured, and what switches it off and on."""

    command: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")] = Field(
        "", description="run on the board twice a second meanwhile; prints watts, one number"
    )
    measures: str = Field(
        "", description="of what the watts are, for the tables: the whole board, behind its supply"
    )
    cycle: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")] = Field(
        "",
        description="run on this machine by `device cycle`, and in a night when the board hangs; "
        "ends when the board is on again",
    )

    @model_validator(mode="after")
    def _whole(self) -> PowerSpec:
        if bool(self.command) != bool(self.measures):
            raise ValueError("command and measures belong together")
        if not self.command and not self.cycle:
            raise ValueError("command with measures, or cycle, is missing")
        return self


class DeviceSpec(Spec):
    """A board and how its host key is pinned."""

    host: str = Field(description="its name or address, or a Host of ~/.ssh/config")
    port: Annotated[int, Field(ge=0, le=65535, description="0: as ~/.ssh/config, else 22")] = 0
    user: str = Field("", description="empty: as ~/.ssh/config, else pi")
    host_key: Annotated[
        str,
        Field(
            pattern=r"^(SHA256:[A-Za-z0-9+/]{43})?$",
            description="its fingerprint, as `device trust` prints it; empty: as known_hosts",
        ),
    ] = ""
    identity_file: str = Field("", description="a private key; empty: as ssh would choose")
    quota_mib: Annotated[
        int, Field(ge=0, description="MiB that deploys may use there; 0: no limit")
    ] = 0
    power: PowerSpec | None = Field(None, description="what reads and what cycles its power")


class MatrixSpec(Spec):
    """matrix.yaml"""

    version: Literal[1] = Field(description="of this file's form: 1")
    axes: dict[str, Annotated[list[Value], Field(min_length=1)]] = Field(
        {}, description="every combination of their values is a cell: stack, options, toolchain"
    )
    zip: list[
        Annotated[dict[str, Annotated[list[Value], Field(min_length=1)]], Field(min_length=1)]
    ] = Field([], description="linked axes: the lists of one entry advance together")
    name: str = Field("{stack}", description="cell id; {axis} stands for its value")
    toolchain: Annotated[str | Annotated[list[str], Field(min_length=1)] | None, DISTINCT] = Field(
        None, description="what cells are built with that name none; of a list, once with each"
    )
    include: list[IncludeSpec] = Field([], description="cells beside those of the axes")
    exclude: list[ExcludeSpec] = Field([], description="combinations that are dropped")
    bench: BenchSpec = BenchSpec()
    nightly: NightlySpec = Field(NightlySpec(), description="what `nightly` does otherwise")
    devices: dict[Annotated[str, Field(pattern=CELL_ID)], DeviceSpec] = Field(
        {}, description="boards by name, for --host"
    )
    groups: dict[
        Annotated[str, Field(pattern=CELL_ID)], Annotated[list[str], Field(min_length=1), DISTINCT]
    ] = Field({}, description="names for several devices, by name or glob")


def listed(words: Iterable[object]) -> str:
    """The words with commas between them, for a message; 'none' when there are none."""
    return ", ".join(str(w) for w in words) or "none"
