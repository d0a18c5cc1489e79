"""The scripts as text: what stands in a board's agent/ folder, and small ones that begin a call."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources

SCRIPTS = (
    "owner",
    "probe",
    "sonames",
    "listing",
    "deploy",
    "lease",
    "journal",
    "condition",
    "runs",
)


@dataclass(frozen=True, slots=True)
class Program:
    """All functions that a call may use, as one text whose name is its sha256."""

    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def carried(self) -> bytes:
        """As carried.sh reads it from stdin."""
        return f"{len(self.text)}\n{self.text}".encode("ascii")


@functools.cache
def program() -> Program:
    """That of this version."""
    return Program(_plain(*SCRIPTS))


def source(*names: str) -> str:
    """The text of agent scripts, in order."""
    folder = resources.files("buildmatrix") / "agent"
    return "\n".join((folder / f"{name}.sh").read_text(encoding="utf-8") for name in names)


@functools.cache
def joined(*names: str) -> str:
    """Scripts whose lines are whole statements, as one line."""
    return ";".join(_plain(*names).splitlines())


def _plain(*names: str) -> str:
    """Without comments and indentation: less to send, and to hash at every call.

    A script may have neither a word over several lines nor a here-document.
    """
    lines = (line.strip() for line in source(*names).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))
