"""A virtual Pi with one stack on it, to which the fault tests do harm in the middle of a run.

The stack is one of test_study's, in the same state folder: nothing is built twice.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix import ssh, virtual
from tests.boards import STATE
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress

ROOT = Path(__file__).parent.parent.parent
CELL = "caffe-openblas-0.3.34-neon"
LINES = "grep -c . .buildmatrix/runs/current/journal.jsonl 2>/dev/null"


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    return cli.run(*arguments, cwd=ROOT, state=STATE, code=code)


def document(*arguments: str, code: int = 0) -> Any:
    return cli.document(*arguments, cwd=ROOT, state=STATE, code=code)


@dataclass(frozen=True, slots=True)
class Harmed:
    """One board, by name."""

    name: str

    @property
    def bench(self) -> list[str]:
        """The command that measures the stack there, but for what is to be run."""
        chosen = ["--host", self.name, "--only", CELL]
        return ["bench", *chosen, "--threads", "1", "--warmup", "0"]

    @property
    def short(self) -> list[str]:
        """A run of three blocks and four sentinels."""
        return [*self.bench, "--batches", "1", "--passes", "2", "--rounds", "3"]

    @property
    def address(self) -> BoardAddress:
        return next(b.address for b in virtual.boards(STATE) if b.address.name == self.name)

    def does(self, script: str, *, user: str = "pi", timeout: float = 600) -> str:
        """What the script prints there; `root` is the back door that a real board does not have."""
        address = replace(self.address, user=user)
        with ssh.connect(address, timeout=120, known_hosts=None) as connection:
            result = connection.run(f"cd /home/pi && {script}", timeout=timeout)
        assert result.status == 0, result.stderr.decode()
        return result.stdout.decode().strip()

    def until_lines(self, count: int, then: str = "true", *, user: str = "pi") -> None:
        """Wait until so many lines are in the journal, and do that on the board at once.

        One session looks: to log in for each look takes the board's one core a second, and the
        blocks that are left might end meanwhile.
        """
        enough = f'lines=$({LINES}); [ "${{lines:-0}}" -ge {count} ]'
        looks = f"n=0; until {enough}; do n=$((n + 1)); [ $n -lt 1000 ] || exit 9; sleep 0.3; done"
        self.does(f"{looks}; {then}", user=user)


@contextmanager
def harmed(name: str) -> Iterator[Harmed]:
    """A board of that name which is there as long as this is open, with the stack deployed."""
    document("build", "--only", CELL)
    run("device", "up", "--name", name, "--kind", "pi3-counted")
    document("deploy", "--host", name, "--only", CELL)
    yield Harmed(name)
    run("device", "down", "--name", name)


def complete(found: Any, *, blocks: int = 3) -> None:
    """One row, right, from all its blocks."""
    (row,) = found["rows"]
    assert (row["status"], row["blocks"]) == ("ok", blocks), row["void_reason"]
    assert len(row["samples_ns"]) == 2 * blocks
    assert row["max_rel_error"] < 1e-4
    counts = [b["instructions_per_image"] for b in found["blocks"] if not b["sentinel"]]
    assert max(counts) / min(counts) - 1 < 1e-3
