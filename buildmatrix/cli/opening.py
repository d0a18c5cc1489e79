"""shell: into the container of a step."""

from __future__ import annotations

import sys
from typing import Any

from invoke.exceptions import Exit

from buildmatrix.cli.command import command
from buildmatrix.cli.common import progress, workshop


@command(
    {
        "cell": "the cell whose failed step is opened; of one that is built, the last",
        "jobs": "compile jobs in it (default: the machine's cores)",
    },
    positional=["cell"],
)
def shell(_c: Any, cell: str, jobs: int = 0, matrix: str = "matrix.yaml", state: str = "") -> None:
    """Open the failed step's container: same user, limits and inputs, no network; or the last."""
    from buildmatrix.pipeline.opening import enter

    def tell(text: str) -> None:
        sys.stderr.write(text + "\n")

    with progress() as reporter:
        shop = workshop(matrix, [cell], state, reporter, jobs=jobs)
        status = enter(shop, tell)
    if status:
        raise Exit("", status)


TASKS = (shell,)
