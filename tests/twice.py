"""Every work of the stacks made again: another folder, another number of jobs, the same bytes.

    python -m tests.twice [--only CELL ...] [--state FOLDER]

Of the cells that tests.stacks chooses, or of those that are named, what the state folder holds is
made a second time, and a table says of each work whether its files are the same. Ends with 1 when
one differs or cannot be made again, and when nothing was there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.boards import STATE
from tests.stacks import CHOSEN, ROOT


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", metavar="CELL", help="in place of all")
    parser.add_argument("--state", type=Path, default=STATE, help="where they were built")
    chosen = parser.parse_args()
    only = [word for cell in chosen.only or CHOSEN for word in ("--only", cell)]
    argv = [sys.executable, "-m", "buildmatrix", "build", "--twice", "--json", *only]
    argv += ["--matrix", str(ROOT / "matrix.yaml"), "--state", str(chosen.state)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        return done.returncode or 1
    rows = json.loads(done.stdout)["reproduced"]
    for row in rows:
        sys.stdout.write(
            f"{row['files']:5d} files  {row['id']}  {row['difference'] or 'the same'}\n"
        )
    same = sum(not row["difference"] for row in rows)  # which also says why one was not made again
    sys.stdout.write(f"{len(rows)} works made again, {same} of them the same bytes\n")
    return int(same < len(rows) or not rows)


if __name__ == "__main__":
    sys.exit(main())
