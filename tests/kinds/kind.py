"""One file or tree that the audit once judged wrongly, and the right verdict."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PI2, PI3, PI5 = "pi2-32", "pi3-64", "pi5-64"


@dataclass(frozen=True, slots=True)
class Kind:
    """Sources and shell lines that leave a tree in `tree/`.

    The lines see CC, CXX, AS, LD, AR, OBJCOPY and STRIP for the machine of `board`, a name that
    --target takes.
    """

    number: int
    name: str
    board: str
    files: Mapping[str, str]
    steps: tuple[str, ...]
    errors: str = ""  # the codes of the findings that refuse it, each once
    warnings: str = ""  # ... of those that do not
    says: str = ""  # a part of some finding's message
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the tree's only file

    def build(self, folder: Path) -> Path:
        """The tree, made below `folder`. Raises CalledProcessError where a step fails."""
        for name, text in self.files.items():
            (folder / name).write_text(text)
        tree = folder / "tree"
        tree.mkdir()
        machine = "arm-linux-gnueabihf" if "-32" in self.board else "aarch64-linux-gnu"
        tools = {"CC": "gcc", "CXX": "g++", "AS": "as", "LD": "ld", "AR": "gcc-ar"}
        tools |= {"OBJCOPY": "objcopy", "STRIP": "strip"}
        named = {name: f"{machine}-{tool}" for name, tool in tools.items()}
        subprocess.run(
            ["sh", "-c", "\n".join(("set -e", *self.steps))],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", **named},
            check=True,
            timeout=120,
        )
        return tree
