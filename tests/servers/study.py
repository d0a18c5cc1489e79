"""A real library of one function, built twice for one kind of board: a cell and its next form."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import paramiko  # noqa: F401 - loaded once, for all commands

from tests.boards import STATE
from tests.forked import become

CELL = "dot"
MATRIX = """\
version: 1
toolchain: {toolchain}
include: [{{name: {cell}, stack: dot, neon: false}}]
bench: {{batches: [1, 2], rounds: 1, passes: 3, warmup: 1, threads: 1}}
"""
FORMS = ("first", "second")
NEXT_FORM = "\nfloat dot_twice(float x) { return 2 * x; }\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `document` is what it printed with --json, None when it printed none."""

    code: int
    document: Any
    words: str

    @property
    def why(self) -> str:
        """Its error in one line."""
        return " ".join(self.words.split())[:400] or f"exit {self.code}, and not a word"


@dataclass(frozen=True, slots=True)
class Study:
    """Two projects below `root`, one state for both, and the home of the person who runs them.

    Built by `toolchain`: host-bookworm is for this machine's own kind.
    """

    root: Path
    toolchain: str = "host-bookworm"

    @property
    def home(self) -> Path:
        return self.root / "person"

    def prepare(self) -> None:
        """Write both and build both. Raises AssertionError with what a build said."""
        (self.home / ".ssh").mkdir(parents=True)
        library = resources.files("buildmatrix") / "start" / "library"
        for form in FORMS:
            folder = self.root / form
            shutil.copytree(Path(str(library)), folder)
            (folder / "matrix.yaml").write_text(MATRIX.format(toolchain=self.toolchain, cell=CELL))
        with (self.root / FORMS[1] / "src/dot.c").open("a") as source:
            source.write(NEXT_FORM)
        (self.root / "state/toolchains").mkdir(parents=True)
        record = STATE / "toolchains" / f"{self.toolchain}.json"
        if record.exists():
            shutil.copy(record, self.root / "state/toolchains")
        for form in FORMS:
            built = self.run(form, "build")
            assert built.code == 0, built.words

    def run(self, form: str, *words: str) -> Ended:
        """One command in the project of that form, as a person of its own.

        In a fork of this process, which has the command line loaded: a row is 25 commands.
        """
        streams = self.root / "stdout", self.root / "stderr"
        child = os.fork()
        if child == 0:
            settings = {"HOME": str(self.home), "BUILDMATRIX_STATE": str(self.root / "state")}
            cwd, (first, second) = self.root / form, streams
            become(words, cwd=cwd, out=first, err=second, environment=settings)
        _, status = os.waitpid(child, 0)
        out, err = (path.read_text(errors="replace") for path in streams)
        try:
            document = json.loads(out)
        except ValueError:
            document = None
        return Ended(os.waitstatus_to_exitcode(status), document, err or out)
