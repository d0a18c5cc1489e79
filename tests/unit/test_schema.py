"""YAML read strictly: every fault has a place, a sentence, and what is allowed."""

from __future__ import annotations

import contextlib
from typing import Annotated, Literal
from unittest.mock import Mock

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from buildmatrix import yaml12
from buildmatrix.errors import InputError
from buildmatrix.schema import Spec, parse


class Round(Spec):
    kind: Literal["round"]
    radius: int


class Named(Spec):
    kind: Literal["named"]
    name: str = "x"


class Shapes(Spec):
    version: Literal[1]
    shapes: list[Annotated[Round | Named, Field(discriminator="kind")]] = []
    colour: Literal["red", "green"] = "red"
    big: bool = False


def fault(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, file="shapes.yaml").build(Shapes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "version: 1\nshaps: []\n",
            "shapes.yaml:2:1: unknown key 'shaps' (did you mean 'shapes'?); "
            "allowed here: big, colour, shapes, version",
        ),
        ("shapes: []\n", "shapes.yaml:1:1: 'version' is missing"),
        ("version: 2\n", "shapes.yaml:1:1: 'version' cannot be 2; allowed: 1"),
        (
            "version: 1\ncolour: gren\n",
            "shapes.yaml:2:1: 'colour' cannot be 'gren' (did you mean 'green'?); "
            "allowed: 'red' or 'green'",
        ),
        (
            "version: 1\nshapes:\n  - {kind: named, name: 0.3}\n",
            "shapes.yaml:3:19: 'name' must be text, not 0.3: put it in quotes",
        ),
        (
            "version: 1\nshapes:\n  - {kind: named, nam: x}\n",
            "shapes.yaml:3:19: unknown key 'nam' (did you mean 'name'?); allowed here: kind, name",
        ),
        (
            "version: 1\nshapes: [{kind: rond}]\n",
            "shapes.yaml:2:10: 'rond' is not known (did you mean 'round'?); "
            "allowed: 'round', 'named'",
        ),
        (
            "version: 1\nbig: yes\n",
            "shapes.yaml:2:1: 'big': input should be a valid boolean (got 'yes')",
        ),
        (
            "version: 1\nbig: http://me:secret@host.example/a.tar\n",
            "valid boolean (got 'http://***@host.example/a.tar')",
        ),
        ("version: 1\nversion: 1\n", "shapes.yaml:2:1: duplicate key 'version'"),
        ("version: &a 1\n", "anchors and aliases are not read here"),
        ("version: [1\n", "not valid YAML"),
        ("? [a]\n: 1\n", "shapes.yaml:1:3: a key must be plain text"),
        ("version: !!python/name:os.system 1\n", "is not read here"),
    ],
)
def test_a_fault_has_a_place_and_a_way_out(text: str, message: str) -> None:
    assert message in fault(text)


def test_all_faults_are_told_at_once_in_file_order() -> None:
    text = "version: 1\ncolour: blue\nshapes:\n  - {kind: round, radius: big}\n"
    assert [line.split(": ")[0] for line in fault(text).splitlines()] == [
        "shapes.yaml:2:1",
        "shapes.yaml:4:19",
    ]


def test_of_thousands_of_faults_the_first_are_told_and_the_rest_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schema = Mock(side_effect=Shapes.model_json_schema)
    monkeypatch.setattr(Shapes, "model_json_schema", schema)
    told = fault("version: 1\nshapes:\n" + "- {radius: 1}\n" * 3000).splitlines()
    assert told[0] == "shapes.yaml:3:3: 'kind' is missing in shapes.0; allowed: named, round"
    assert told[49].startswith("shapes.yaml:52:3: ")
    assert told[50:] == ["and 2,950 more"]
    assert schema.call_count <= 1, "each time takes as long as reading the file"


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("1e3", 1000.0),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2017-01-11", "2017-01-11"),
        ("true", True),
        ("-3", -3),
        ("0.10", 0.1),
        ("0.3.21", "0.3.21"),
        ("~", None),
        ("", None),
        ("~x", "~x"),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(plain: str, value: object) -> None:
    assert parse(f"a: {plain}\n", file="x").data == {"a": value}


@given(st.text())
def test_no_text_brings_the_reader_down(text: str) -> None:
    with contextlib.suppress(InputError):
        parse(text, file="x.yaml").build(Shapes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "version: " + "1" * 5000,
            "shapes.yaml:1:10: a number of 5000 characters is not read here",
        ),
        ("shapes: " + "[" * 3000 + "]" * 3000, "shapes.yaml: is nested too deeply to be read"),
        ("# " + "a" * (5 << 20), "shapes.yaml: has 5 MiB; what people write is below 4"),
    ],
)
def test_what_no_person_writes_is_a_clean_error(text: str, words: str) -> None:
    assert words in fault(text)


def test_a_file_of_more_values_than_people_write_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yaml12, "MOST", 100)
    assert "shapes.yaml:100:3: not valid YAML: more than 100 values" in fault("- 1\n" * 101)


PIECES = [
    "a",
    "b: ",
    "- ",
    "\n",
    "\n  ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "'",
    '"',
    "|\n",
    "# c",
    "1",
    "~",
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join))
def test_a_text_means_the_same_whichever_parser_reads_it(text: str) -> None:
    by_libyaml = outcome(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        assert outcome(text) == by_libyaml


def outcome(text: str) -> str:
    try:
        return repr(parse(text, file="any").data)
    except InputError as error:
        return str(error)
