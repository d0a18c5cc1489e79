"""Every command that is printed or written down exists, with its flags: a hint that leads nowhere
is worse than none."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.parser import Parser

from buildmatrix.cli import namespace
from buildmatrix.cli.devices import ACTIONS
from buildmatrix.cli.profiling import profile_two, two_cells
from buildmatrix.cli.program import EXAMPLES, rewritten

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = [p for p in sorted((ROOT / "scripts").iterdir()) if p.is_file()]
SCRIPTS += sorted((ROOT / "buildmatrix" / "start").rglob("*.y*ml"))
# `inv WORD`, and what follows it on its line up to the end of a quotation or of the command.
CALL = re.compile(r"(?<![\w/.-])(?:\$inv\"?|inv|buildmatrix)[ ]+([a-z][a-z-]*)\b([^\n`'|;&()]*)")
FLAG = re.compile(r"(?<!\S)\[?(--[a-z][a-z-]*)")
CODE = re.compile(r"```(?:sh|console)?\n(.*?)```|`([^`\n]+)`", re.DOTALL)
TASKS = {name: namespace[name] for name in namespace.task_names}


@dataclass(frozen=True, slots=True)
class Call:
    """One command as it is shown somewhere."""

    where: str
    command: str
    rest: str

    def __str__(self) -> str:
        return f"{self.where}: {self.command}{self.rest}"


def calls(text: str, where: str) -> Iterator[Call]:
    for match in CALL.finditer(text):
        yield Call(where, match[1], match[2].rstrip())


def in_python(path: Path) -> Iterator[Call]:
    """Of the strings that are shown, and of docstrings' quotations; what is filled in is an X."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "X" for p in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        shown = (
            re.sub(r"buildmatrix[ ]+(?=[a-z])", "", text) if "`buildmatrix" not in text else text
        )
        yield from calls(shown, f"{path.relative_to(ROOT)}:{node.lineno}")


def in_hints(path: Path) -> Iterator[Call]:
    """Of hints, each from its first word to the end of its quotation, or of the hint."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword):
            names = [node.arg]
        elif isinstance(node, ast.Assign):
            names = [ast.unparse(target) for target in node.targets]
        else:
            continue
        for text in whole_texts(node.value) if "hint" in names else ():
            for match in re.finditer(r"(?<![\w/.-])inv ([a-z-]+)([^`]*)", text):
                yield Call(f"{path.relative_to(ROOT)}:{node.lineno}", match[1], match[2])


def whole_texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be; what is filled in is an X."""
    if isinstance(node, ast.JoinedStr):
        parts = (p.value if isinstance(p, ast.Constant) else "X" for p in node.values)
        yield "".join(map(str, parts))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from whole_texts(child)


def everywhere() -> list[Call]:
    found: list[Call] = []
    for path in sorted((ROOT / "buildmatrix").rglob("*.py")):
        found += in_python(path)
    for path in PAGES:
        for block, inline in CODE.findall(path.read_text()):
            found += calls(block or inline, str(path.relative_to(ROOT)))
    for path in SCRIPTS:
        lines = [
            line
            for line in path.read_text().splitlines()
            if not line.lstrip().startswith(("#", "from ", "import "))
        ]
        found += calls("\n".join(lines), str(path.relative_to(ROOT)))
    return found


def flags_of(command: str) -> set[str]:
    return {
        f"--{name}" for argument in TASKS[command].get_arguments() for name in argument.names
    } | {f"--no-{argument.name}" for argument in TASKS[command].get_arguments()}


def faults(call: Call) -> list[str]:
    if call.command not in TASKS:
        return [f"{call}: no command '{call.command}'"]
    wrong = [
        f"{call}: no flag {flag}"
        for flag in FLAG.findall(call.rest)
        if flag not in flags_of(call.command) | {"--help", "--list", "--version"}
    ]
    action = re.match(r" ([a-z]+)", call.rest)
    if call.command == "device" and action and action[1] not in ACTIONS:
        wrong.append(f"{call}: no action {action[1]}")
    return wrong


@pytest.mark.slow
def test_every_command_that_is_shown_exists_with_its_flags() -> None:
    shown = everywhere()
    assert len(shown) > 60, "the search finds what it is for"
    assert [fault for call in shown for fault in faults(call)] == []


def parses(call: Call) -> bool:
    """Whether it is a whole command as it stands, with nothing of a sentence behind it."""
    argv = rewritten(["inv", call.command, *shlex.split(call.rest)], list(TASKS))[1:]
    tasks = {**TASKS, "profile": profile_two if two_cells(argv) else TASKS["profile"]}
    try:
        Parser(contexts=Collection(*tasks.values()).to_contexts()).parse_argv(argv)
    except ParseError:
        return False
    return True


@pytest.mark.slow
def test_a_command_in_a_hint_can_be_typed_as_it_stands() -> None:
    shown = [call for p in sorted((ROOT / "buildmatrix").rglob("*.py")) for call in in_hints(p)]
    assert len(shown) > 40, "the search finds what it is for"
    assert [str(call) for call in shown if not parses(call)] == []


def test_every_command_has_examples_of_itself_whose_flags_exist() -> None:
    assert sorted(EXAMPLES) == sorted(TASKS)
    shown = [
        call
        for name, examples in EXAMPLES.items()
        for example in examples
        for call in calls(f"inv {example}", f"examples of {name}")
        if call.command == name
    ]
    assert len(shown) == sum(map(len, EXAMPLES.values()))
    assert [fault for call in shown for fault in faults(call)] == []


@pytest.mark.parametrize(
    "text", ["run `inv husk`", "inv build --store x", "inv device fly --host pi3", "inv biuld"]
)
def test_a_hint_that_leads_nowhere_is_found(text: str) -> None:
    assert [fault for call in calls(text, "a message") for fault in faults(call)]
