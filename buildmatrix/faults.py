"""What is wrong with a value that a person wrote: pydantic's error as a sentence about the file."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from buildmatrix.errors import did_you_mean
from buildmatrix.printable import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

Position = tuple[str | int, ...]  # of a value in a file: the keys and numbers that lead to it


def told(error: Any, position: Position, model: type[BaseModel]) -> str:
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
            return f"'{name}' must be text, not {shown(error['input'])}: put it in quotes"
        case "literal_error" | "enum":
            expected = str(error["ctx"]["expected"])
            allowed = re.findall(r"'([^']*)'", expected)
            near = did_you_mean(error["input"], allowed)
            return f"'{name}' cannot be {shown(error['input'])}{near}; allowed: {expected}"
        case "union_tag_invalid":
            tag, expected = error["ctx"]["tag"], error["ctx"]["expected_tags"]
            near = did_you_mean(tag, re.findall(r"'([^']*)'", expected))
            return f"'{tag}' is not known{near}; allowed: {expected}"
        case _ if bound := limit(error):
            return f"'{name}' {bound}, not {shown(error['input'])}"
        case _:
            text = str(error["ctx"]["error"]) if kind == "value_error" else message
            return f"'{name}': {text[0].lower()}{text[1:]} (got {shown(error['input'])})"


LIMITS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
}


def limit(error: Any) -> str:
    """What a number had to be; empty for a fault of another kind."""
    return LIMITS.get(error["type"], "").format(**error.get("ctx", {}))


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


def shown(value: object) -> str:
    """A value as YAML would write it, shortened, without the credentials of an address."""
    words = {"True": "true", "False": "false", "None": "null"}
    text = words.get(str(value), repr(value)) if not isinstance(value, str) else repr(value)
    text = without_credentials(text)  # before it is cut: the end of them is what tells them
    return text if len(text) <= 60 else text[:57] + "..."
