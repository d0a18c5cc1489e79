"""What people are told is written from fields and read by people only: no code takes it apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "buildmatrix"
MODULES = sorted(PACKAGE.rglob("*.py"))
# What an outside program printed, which an error only carries along, has no other form than text.
OUTSIDE = {
    "virtual/machine.py": ["'host forwarding rule' not in error.details"],  # QEMU's
    "ssh/login.py": ["'transport shut down' in str(error)"],  # paramiko's, of one type for two ends
    "cli/program.py": [  # Invoke's
        "str(error).startswith('No idea what')",
        'str(error).partition("\'")',
        "NO_VALUE.sub('--\\\\1 wants a value', str(error))",
    ],
    "imported/simplify.py": ["str(fault).split()"],  # onnx's, laid out anew
    "imported/litert.py": ["str(fault).split()"],  # LiteRT's, laid out anew
}
SENTENCES = {"message", "reason", "brief", "details", "hint", "sentence"}
RAISED = {"error", "failure", "fault", "refusal", "invalid"}  # as exceptions are called here
READERS = {  # not `splitlines`: laying out words line by line is no reading
    "startswith", "endswith", "removeprefix", "removesuffix", "split", "rsplit", "partition",
    "rpartition", "find", "index", "match", "fullmatch", "search", "findall", "sub",
}  # fmt: skip
# A list of words is called so too, and has none of these.
OF_TEXT = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition"}


def sentence(node: ast.AST) -> bool:
    """A variable, a field or a member of a document that holds words for people."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in SENTENCES
        case ast.Subscript(slice=ast.Constant(value=name)):
            return name in SENTENCES
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]) if name in RAISED:
            return True
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return sentence(inner)
        case _:
            return False


def readings(source: str) -> list[str]:
    """Places where such words are searched, cut, or looked into with `in`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=subject, attr=verb), args=arguments):
                read = verb in READERS and any(map(sentence, (subject, *arguments)))
                read |= verb in OF_TEXT and isinstance(subject, ast.Name) and subject.id == "words"
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[subject]):
                read = sentence(subject)
            case ast.Subscript(value=subject, slice=ast.Slice()):
                read = sentence(subject)
            case _:
                read = False
        if read:
            found.append(ast.unparse(node))
    return found


def test_no_message_is_parsed() -> None:
    found = {str(path.relative_to(PACKAGE)): readings(path.read_text()) for path in MODULES}
    parsed = {
        name: [text for text in texts if text not in OUTSIDE.get(name, [])]
        for name, texts in found.items()
    }
    assert {name: texts for name, texts in parsed.items() if texts} == {}


@pytest.mark.parametrize(
    "code",
    [
        'failed = outcome.message.startswith("needs ")',
        'root = goal.reason.removeprefix("needs ")',
        're.match("needs (.*)", outcome.message)',
        'if "needs" in row["reason"]: pass',
        'first = str(error.brief).partition(":")',
        "word = action.reason[6:]",
        "locked = 'passphrase' in str(error)",
        "hint = last if words.startswith('the output') else other",
    ],
)
def test_a_seeded_reading_is_found(code: str) -> None:
    assert len(readings(code)) == 1
