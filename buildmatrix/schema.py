"""What people write: YAML read strictly into pydantic models, errors with file:line:column.

Strict means: YAML 1.2's plain scalars only (`yes` and `1e3` are text, `0.3` is a float and is
refused where text is meant), no duplicate keys, no anchors, no unknown keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from buildmatrix import yaml12
from buildmatrix.errors import InputError, Location, UsageError, did_you_mean
from buildmatrix.faults import Position, limit, shown, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Spec(BaseModel):
    """Base of everything a user writes: frozen, typed strictly, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    def overruled(self, flags: Mapping[str, object]) -> Self:
        """The same with what flags of the command line say; they have the limits of the file.

        Raises UsageError.
        """
        try:
            return type(self).model_validate({**self.model_dump(), **flags})
        except ValidationError as invalid:
            fault = invalid.errors()[0]
            name, value = str(fault["loc"][0]), fault["input"]
            bound = limit(fault) or fault["msg"]
            raise UsageError(f"--{name.replace('_', '-')} {value}: {bound}") from None

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            allowed = sorted(f.alias or name for name, f in cls.model_fields.items())
            for key in data:
                if key not in allowed:
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'{meant}; allowed here: {allowed}",
                        {
                            "key": key,
                            "meant": did_you_mean(key, allowed),
                            "allowed": ", ".join(allowed),
                        },
                    )
        return data


def _distinct(values: Any) -> Any:
    seen: set[str] = set()
    for i, value in enumerate(values if isinstance(values, list) else ()):
        if repr(value) in seen:  # `true` is not 1
            what = "this" if isinstance(value, BaseModel) else shown(value)
            raise PydanticCustomError(
                "distinct", "{what} stands here twice", {"what": what, "key": i}
            )
        seen.add(repr(value))
    return values


DISTINCT = AfterValidator(_distinct)  # of a list in which a second one would do nothing
LARGEST = 4 << 20  # characters of one file
MOST = 50  # faults of one file that are told

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """A parsed file that remembers where each value stands."""

    file: str
    data: Any
    places: dict[Position, tuple[int, int]] = field(repr=False)

    def locate(self, position: Position) -> Location:
        """The place of a value, or of the nearest thing around it that exists."""
        known: Position = ()
        for part in position:
            # A union's tag is part of pydantic's path but not of the document: step over it.
            if (*known, part) in self.places:
                known = (*known, part)
        return Location(self.file, *self.places[known])

    def fault(self, position: Position, brief: str, *, hint: str = "") -> InputError:
        return InputError(brief, where=self.locate(position), hint=hint)

    def build(self, model: type[M]) -> M:
        """The typed form. Raises InputError naming every fault, in order, up to MOST of them."""
        try:
            return model.model_validate(self.data)
        except ValidationError as invalid:
            raise self._explain(invalid, model) from None

    def _explain(self, invalid: ValidationError, model: type[BaseModel]) -> InputError:
        faults = []
        errors = invalid.errors(include_url=False)
        for error in errors:
            position = tuple(error["loc"])
            if error["type"] == "too_short" and any(_within(position, e["loc"]) for e in errors):
                continue  # what is in it was not read
            key = error.get("ctx", {}).get("key")
            place = self.locate((*position, key) if key is not None else position)
            faults.append((place, position, error))
        faults.sort(key=lambda f: (f[0].line, f[0].column))
        sentences = [(place, told(error, at, model)) for place, at, error in faults[:MOST]]
        rest = [f"{place}: {text}" for place, text in sentences[1:]]
        rest += [f"and {len(faults) - MOST:,} more"] * (len(faults) > MOST)
        return InputError(sentences[0][1], where=sentences[0][0], details="\n".join(rest))


def _within(position: Position, other: Position) -> bool:
    return len(other) > len(position) and other[: len(position)] == position


def read(path: Path, *, name: str = "") -> Document:
    """Parse one YAML file. Raises InputError with the place of a syntax fault."""
    file = name or str(path)
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise InputError(
            "no such file",
            where=file,
            hint="go to the folder of your matrix.yaml, name the file with --matrix, or begin a "
            "project here with `inv init`"
            if path.name == "matrix.yaml"
            else "",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text: {error}", where=file) from None
    return parse(text, file=file)


def parse(text: str, *, file: str) -> Document:
    """Parse YAML text; `file` is the name shown in errors."""
    if len(text) > LARGEST:
        brief = f"has {len(text) >> 20} MiB; what people write is below {LARGEST >> 20}"
        raise InputError(brief, where=file)
    try:
        node = yaml12.compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = Location(file, mark.line + 1, mark.column + 1) if mark else file
        raise InputError(f"not valid YAML: {error.problem or error}", where=where) from None
    except yaml.YAMLError as error:  # a byte that YAML does not allow
        raise InputError(f"not valid YAML: {error}", where=file) from None
    except RecursionError:
        raise InputError("is nested too deeply to be read", where=file) from None
    places: dict[Position, tuple[int, int]] = {(): (1, 1)}
    data = None if node is None else _value(node, (), places, file)
    return Document(file, data, places)


def _value(node: Any, at: Position, places: dict[Position, tuple[int, int]], file: str) -> Any:
    places.setdefault(at, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.SequenceNode):
        return [_value(n, (*at, i), places, file) for i, n in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            here = Location(file, key.start_mark.line + 1, key.start_mark.column + 1)
            if not isinstance(key, yaml.ScalarNode):
                raise InputError("a key must be plain text", where=here)
            if key.value in mapping:
                raise InputError(f"duplicate key '{key.value}'", where=here)
            places[(*at, key.value)] = (here.line, here.column)
            mapping[key.value] = _value(value, (*at, key.value), places, file)
        return mapping
    return _scalar(node, file)


def _scalar(node: yaml.ScalarNode, file: str) -> str | int | float | bool | None:
    read_as: dict[str, Callable[[str], str | int | float | bool | None]] = {
        "tag:yaml.org,2002:str": str,
        "tag:yaml.org,2002:int": int,
        "tag:yaml.org,2002:float": float,
        "tag:yaml.org,2002:bool": "true".__eq__,
        "tag:yaml.org,2002:null": lambda _: None,
    }
    if node.tag not in read_as:
        where = Location(file, node.start_mark.line + 1, node.start_mark.column + 1)
        raise InputError(f"tag {node.tag} is not read here", where=where)
    try:
        return read_as[node.tag](node.value)
    except ValueError:  # Python reads no integer of more than 4300 digits
        where = Location(file, node.start_mark.line + 1, node.start_mark.column + 1)
        brief = f"a number of {len(node.value)} characters is not read here"
        raise InputError(brief, where=where) from None


def load(path: Path, model: type[M], *, name: str = "") -> M:
    """Read and validate in one step."""
    return read(path, name=name).build(model)


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
