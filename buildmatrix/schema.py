"""What people write: YAML read strictly into pydantic models, errors with file:line:column.

Strict means: YAML 1.2's plain scalars only (`yes` and `1e3` are text, `0.3` is a float and is
refused where text is meant), no duplicate keys, no anchors, no unknown keys.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from buildmatrix import yaml12
from buildmatrix.errors import InputError, Location, UsageError, did_you_mean
from buildmatrix.printable import without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

Position = tuple[str | int, ...]


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
            told = _limit(fault) or fault["msg"]
            raise UsageError(f"--{name.replace('_', '-')} {value}: {told}") from None

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
            what = "this" if isinstance(value, BaseModel) else _shown(value)
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
        told = [(place, _told(error, at, model)) for place, at, error in faults[:MOST]]
        rest = [f"{place}: {text}" for place, text in told[1:]]
        rest += [f"and {len(faults) - MOST:,} more"] * (len(faults) > MOST)
        return InputError(told[0][1], where=told[0][0], details="\n".join(rest))


def _told(error: Any, position: Position, model: type[BaseModel]) -> str:
    """One fault in a sentence, with what the model says of the key that is missing."""
    if error["type"] == "union_tag_not_found":
        place, tags = ".".join(map(str, position)), ", ".join(_tags(model, position))
        return f"{error['ctx']['discriminator']} is missing in {place}; allowed: {tags}"
    text = _sentence(error["type"], error["msg"], position, error)
    meaning = _meaning(model, position) if error["type"] == "missing" else ""
    return f"{text}: {meaning}" if meaning else text


def _sentence(kind: str, message: str, position: Position, error: Any) -> str:
    name = next((str(p) for p in reversed(position) if isinstance(p, str)), "document")
    match kind:
        case "unknown_key" | "distinct":
            return message
        case "missing":
            place = ".".join(map(str, position[:-1]))
            return f"'{position[-1]}' is missing{' in ' if place else ''}{place}"
        case "model_type" if error["input"] is None:
            return f"'{name}' is empty" if position else "the file is empty"
        case "string_type":
            return f"'{name}' must be text, not {_shown(error['input'])}: put it in quotes"
        case "literal_error" | "enum":
            expected = str(error["ctx"]["expected"])
            allowed = re.findall(r"'([^']*)'", expected)
            near = did_you_mean(error["input"], allowed)
            return f"'{name}' cannot be {_shown(error['input'])}{near}; allowed: {expected}"
        case "union_tag_invalid":
            tag, expected = error["ctx"]["tag"], error["ctx"]["expected_tags"]
            near = did_you_mean(tag, re.findall(r"'([^']*)'", expected))
            return f"'{tag}' is not known{near}; allowed: {expected}"
        case _ if told := _limit(error):
            return f"'{name}' {told}, not {_shown(error['input'])}"
        case _:
            text = str(error["ctx"]["error"]) if kind == "value_error" else message
            return f"'{name}': {text[0].lower()}{text[1:]} (got {_shown(error['input'])})"


LIMITS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
}


def _limit(error: Any) -> str:
    """What a number had to be; empty for a fault of another kind."""
    return LIMITS.get(error["type"], "").format(**error.get("ctx", {}))


def _within(position: Position, other: Position) -> bool:
    return len(other) > len(position) and other[: len(position)] == position


def _meaning(model: type[BaseModel], position: Position) -> str:
    """What the key at a position of the file is for; empty where nothing is written of it."""
    return next((n["description"] for n in _nodes(model, position) if "description" in n), "")


def _tags(model: type[BaseModel], position: Position) -> list[str]:
    """What the key may be by which the kind of thing at a position is known."""
    return [tag for n in _nodes(model, position) for tag in n.get("discriminator", {})["mapping"]]


def _nodes(model: type[BaseModel], position: Position) -> list[dict[str, Any]]:
    """What a model's JSON Schema has for a position of the file."""
    whole = _json_schema(model)
    nodes = [whole]
    for part in position:
        nodes = [below for node in nodes for below in _below(node, part, whole.get("$defs", {}))]
    return nodes


@functools.cache  # 30 ms each time, and a file may have a fault on each of its lines
def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _below(node: dict[str, Any], part: str | int, definitions: dict[str, Any]) -> Iterator[Any]:
    """What a JSON Schema has for one step into a value: into every form that the value may have.

    A union's tag is a step of pydantic's path but none of the document: it leads to all its forms.
    """
    if "$ref" in node:
        yield from _below(definitions[node["$ref"].rpartition("/")[2]], part, definitions)
        return
    for form in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _below(form, part, definitions)
    tags = node.get("discriminator", {}).get("mapping", {})
    if part in tags:
        yield {"$ref": tags[part]}
    elif isinstance(part, int):
        yield from [node["items"]] if "items" in node else []
    elif part in node.get("properties", {}):
        yield node["properties"][part]
    elif isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]


def _shown(value: object) -> str:
    """A value as YAML would write it, shortened, without the credentials of an address."""
    words = {"True": "true", "False": "false", "None": "null"}
    text = words.get(str(value), repr(value)) if not isinstance(value, str) else repr(value)
    text = without_credentials(text)  # before it is cut: the end of them is what tells them
    return text if len(text) <= 60 else text[:57] + "..."


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
