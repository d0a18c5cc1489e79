"""What a journal's line must be to be taken: judged once, before anything is stored.

The table of results is append-only, so a line that cannot be read later must not come in. Fields
that are not named here are kept as they came.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Count = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]  # what SQLite holds
Number = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None
Seconds = Annotated[int, Field(strict=True, ge=0, le=2**38)]  # since 1970; dates end in 9999
Bits = Annotated[str, Field(pattern=r"^(0x)?[0-9a-fA-F]{0,16}$")]


# The requests that are judged here, by version (others are only told by number), each with the
# version of its measuring: of the series, raised when the same words measure another thing.
# A request of 3 may hold until, at_most, cool_down and max_celsius, one of 4 settle, power and
# power_of, one of 5 cores and layers.
REQUESTS: Mapping[int, int] = {2: 2, 3: 2, 4: 2, 5: 2}


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow")


class Condition(_Form):
    """What the board said of itself around a block."""

    cur_khz: Number = None
    max_khz: Number = None
    governor: str | None = None
    millicelsius: Number = None
    throttled: Bits | None = None
    swapped: Count | None = None
    busy_ticks: Count | None = None
    uptime: Number = None
    available_kib: Number = None


class Skipped(_Form):
    """Why the agent did not run a block: of what it needs, or because a smaller batch ended so."""

    out_of_memory: Count | None = None
    by: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    needs_kib: Count = 0
    available_kib: Count = 0

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        needs = self.by is not None and {"needs_kib", "available_kib"} <= self.model_fields_set
        if needs == (self.out_of_memory is not None):
            raise ValueError("either out_of_memory or by, needs_kib and available_kib are wanted")
        return self


class Line(_Form):
    """A block that ran or was skipped."""

    block: Count
    round: Count
    sentinel: Annotated[bool, Field(strict=True)]
    cell: str
    batch: Annotated[int, Field(strict=True, gt=0, le=2**31)]
    started: Seconds
    before: Condition


class Ran(Line):
    exit: Annotated[int, Field(strict=True)]
    seconds: Count
    after: Condition
    stderr_tail: str
    stdout: str
    # uptime and watts of each reading; null for one that was no number
    power: list[Annotated[list[Number], Field(min_length=2, max_length=2)]] = []


class NotRun(Line):
    skipped: Skipped


class Answer(_Form):
    """A runner's line, as far as anything is concluded from it."""

    status: str | None = None
    message: str | None = None
    engine: str | None = None
    number_format: str | None = None
    output: list[Annotated[float, Field(strict=True)] | None] | None = None
    samples_ns: list[Count] | None = None
    first_pass_ns: Count | None = None
    instructions: Count | None = None
    peak_rss_kib: Count | None = None
    page_faults_major: Count | None = None
    probe_ns: list[Count] | None = None
    cpu_ns: Count | None = None
    batch_max_abs_diff: Number = None
    cores: str | None = None
    classes: list[Annotated[int, Field(strict=True, ge=-1, le=2**31)]] | None = None
    # name, nanoseconds and instructions of all passes
    layers: list[tuple[str, Count, Count | None]] | None = None
    layers_message: str | None = None
    after_ns: Count | None = None


# An event that tells less than it might is no reason to lose a run: `events.words` goes without.
class Takeover(_Form):
    silent: Count | None = None
    owner: str | None = None


class Unrestored(_Form):
    files: Count | None = None


class Conditions(_Form):
    governor: str | None = None
    was: str | None = None
    rights: str | None = None
    wireless: str | None = None


class Cooled(_Form):
    block: Count | None = None
    seconds: Count | None = None
    millicelsius: Number = None


class Measured(BaseModel):
    """A cell that a run measures."""

    cell: str
    bundle: str
    facts: dict[str, Any] = {}


class Asked(_Form):
    """What a run on a board was asked for, as far as this version would read it."""

    run: str
    model: str
    entrants: list[Measured]
    batches: list[Annotated[int, Field(strict=True, gt=0, le=2**31)]]
    passes: Count
    warmup: Count
    threads: Count
    seed: Annotated[int, Field(strict=True)]
    model_version: str = ""
    rounds: Count = 1
    until: Annotated[float, Field(ge=0)] = 0.0
    at_most: Count = 0
    retakes: Count = 2
    cool_down: Count = 0
    max_celsius: Count = 0
    settle: Annotated[bool, Field(strict=True)] = False
    # Words of a setting that a shell reads.
    cores: Annotated[str, Field(pattern=r"^(all|[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)$")] = "all"
    layers: Annotated[bool, Field(strict=True)] = False
    power: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    power_of: str = ""
    limit_seconds: Count = 0
    owner: str = ""
    governor: Annotated[bool, Field(strict=True)] = True
    wireless: Literal["keep", "off"] = "keep"
    tool: str = ""


class Versioned(_Form):
    """A request of any version."""

    version: Annotated[int, Field(strict=True)]


EVENTS: Mapping[str, type[BaseModel]] = {
    "takeover": Takeover,
    "unrestored": Unrestored,
    "conditions": Conditions,
    "cooled": Cooled,
}
_line, _skip = TypeAdapter(Ran), TypeAdapter(NotRun)
_answer, _name = TypeAdapter(Answer), TypeAdapter(str)


def read(text: str) -> Any:
    """JSON whose numbers are finite, and of text: what can be written down again.

    Raises ValueError, of which a UnicodeError is one.
    """
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    json.dumps(data, ensure_ascii=False, allow_nan=False).encode()  # 1e999 is read as infinity
    return data


def check_line(data: Mapping[str, Any]) -> None:
    """Raises ValueError for a line of the journal that is neither a block nor an event."""
    if "event" in data:
        form = EVENTS.get(_name.validate_python(data["event"]))
        if form is not None:
            form.model_validate(data)
    else:
        (_skip if "skipped" in data else _line).validate_python(data)


def check_request(data: Any) -> int:
    """The version of a request. Raises ValueError for what is none, or is not what one of
    its version holds."""
    version = Versioned.model_validate(data).version
    if version in REQUESTS:
        Asked.model_validate(data)
    return version


def fault(answer: Mapping[str, Any]) -> str:
    """In which way a runner's line is none, in words; empty when it is one."""
    try:
        _answer.validate_python(answer)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return ""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
