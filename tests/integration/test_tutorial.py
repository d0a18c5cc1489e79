"""The tutorial, as it stands on its page: every command block in order, in one empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest

from tests import onnx_files
from tests.manual import ROOT, sections

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.nightly, pytest.mark.docker, pytest.mark.board]

# All that the page does; a section without a command has nothing to run.
BLOCKS = {
    title: text for title, text in sections(ROOT / "docs" / "tutorial.md").items() if text.strip()
}
SHOWN = {  # what a reader is told to see
    "1. A project": "dot-neon-true",
    "2. Build": "no findings",
    "3. A virtual Pi": "dot-neon-true",
    "4. Change something": "because the folder src was edited",
    "5. Take it out, or put it on a board of your own": "host_key",
    "Your own network": "onnxruntime",
    "At each push, and each night": "written: .github",
}


@dataclass
class Reader:
    """Somebody with a terminal: where they are, and what their commands find."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def types(self, text: str) -> str:
        """All that the commands print; the first that fails is the test's failure."""
        place = self.environment["PLACE"]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f'{text}\npwd >"$PLACE"'],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        self.folder = Path(Path(place).read_text().strip())
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """With a home of their own, in which nothing is made yet, and `buildmatrix` to call."""
    home = tmp_path_factory.mktemp("home")
    programs = home / "bin"
    programs.mkdir()
    program = programs / "buildmatrix"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m buildmatrix "$@"\n')
    program.chmod(0o755)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BUILDMATRIX_")}
    environment = {
        **inherited,
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PLACE": str(home / "place"),
        "COLUMNS": "100",
    }
    start = tmp_path_factory.mktemp("start")
    yield Reader(start, environment)
    for state in start.glob("**/.buildmatrix"):  # where a test failed, a board may be on
        for board in (state / "virtual" / "boards").glob("*/"):
            down = [str(program), "device", "down", "--name", board.name, "--state", str(state)]
            subprocess.run(down, env=environment, check=False, capture_output=True)


def prepared(title: str, text: str, reader: Reader) -> str:
    """A section's commands, with what its reader brings: an edit, a board, a network."""
    match title:
        case "4. Change something":
            source = reader.folder / "src" / "dot.c"
            source.write_text(source.read_text() + "\nint edited;\n")
        case "5. Take it out, or put it on a board of your own":
            board, address = own_board(reader)
            # Who types it at a terminal is asked; here the key is known beforehand.
            text = text.replace("trust --host", f"trust --fingerprint {board['host_key']} --host")
            return text.replace("pi.local", address)
        case "Your own network":
            onnx.save(onnx_files.small(size=(1, 2, 8, 8)), reader.folder / "net.onnx")
        case _:
            pass
    return text


def own_board(reader: Reader) -> tuple[dict[str, str], str]:
    """A board by its address alone, as one of the reader's own: here the virtual one, by user and
    port, its key with an agent."""
    (board,) = json.loads(reader.types("buildmatrix device list --json"))["devices"]
    for line in reader.types("ssh-agent -s").splitlines():
        name, _, value = line.partition(";")[0].partition("=")
        if value:
            reader.environment[name] = value
    reader.types(f"ssh-add -q {board['identity_file']}")
    return board, f"{board['user']}@127.0.0.1:{board['port']}"


@pytest.mark.parametrize("title", BLOCKS)
def test_the_commands_do_what_the_page_says(title: str, reader: Reader) -> None:
    shown = reader.types(prepared(title, BLOCKS[title], reader))
    assert SHOWN[title] in shown
    assert "Traceback" not in shown
