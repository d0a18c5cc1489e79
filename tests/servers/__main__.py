"""`python -m tests.servers`: each server under each shell, each step of the way: yes, or why not.

`--only WORD` takes the rows whose server or shell has that word.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests import sshd
from tests.boards import STATE
from tests.servers.server import SERVERS, possible, served
from tests.servers.study import Study
from tests.servers.walk import STEPS, Walk, verdicts

WIDTHS = (44, 6)
NAMES = [name for name, _ in STEPS]


def main() -> int:
    """Walk every row that was asked for, print the table; 1 when there was a no."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--roots", type=Path, default=STATE / "servers")
    asked = parser.parse_args()
    if reason := possible():
        print(reason, file=sys.stderr)
        return 1
    refusals: list[str] = []
    with tempfile.TemporaryDirectory(prefix="buildmatrix-servers-") as folder:
        study = Study(Path(folder))
        study.prepare()
        key = sshd.make_key(study.home / ".ssh/id_ed25519")
        print(line("server", "shell", *NAMES), flush=True)
        for server in SERVERS:
            for shell in server.shells:
                if asked.only not in f"{server.name} {shell}":
                    continue
                row = Path(folder) / "row"
                with served(server, shell, asked.roots, row, sshd.public(key)) as door:
                    title = f"{server.name}: {door.version}"
                    answers = dict(verdicts(Walk(study, door, "pi")))
                shutil.rmtree(row)
                print(line(title, shell, *("no" if why else "yes" for why in answers.values())))
                reasons = [f"{title}, {shell}, {n}: {why}" for n, why in answers.items() if why]
                print(*reasons, sep="\n", end="\n" if reasons else "", flush=True)
                refusals += reasons
    print(f"{len(refusals)} times no", flush=True)
    return int(bool(refusals))


def line(server: str, shell: str, *answers: str) -> str:
    """One row, in columns."""
    columns = " ".join(f"{answer:8}" for answer in answers)
    return f"{server:{WIDTHS[0]}} {shell:{WIDTHS[1]}} {columns}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
