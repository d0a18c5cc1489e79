"""The command line in a fork of this process, which spares an interpreter's start for each call."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def become(
    words: Iterable[str], *, cwd: Path, out: Path, err: Path, environment: Mapping[str, str]
) -> NoReturn:
    """The console script in a folder, with these words, settings beside those of this process, and
    streams of its own: what it writes goes to two files, or to one that both name.

    Never returns: it ends as the program does, with 1 and a traceback for what nobody caught.
    """
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(out, flags, 0o600), 1)
        os.dup2(1 if err == out else os.open(err, flags, 0o600), 2)
        # pytest has put others in their place, which write elsewhere.
        sys.stdout, sys.stderr = (open(fd, "w", closefd=False) for fd in (1, 2))  # noqa: SIM115
        os.chdir(cwd)
        os.environ.update(environment)
        sys.argv = ["buildmatrix", *words]
        from buildmatrix.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 # as an interpreter does, which ends there
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
