"""Bytes from outside: over HTTPS, from a git repository, from a folder. Deadlines and retries."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if sys.version_info >= (3, 12):
    import tarfile
else:  # the 'data' filter came with 3.11.4
    from backports import tarfile

from buildmatrix.errors import SourceUnavailable
from buildmatrix.protocols import Advanced

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from buildmatrix.protocols import Reporter

TRIES = 3
CHUNK = 1 << 18


def download(url: str, destination: IO[bytes], *, reporter: Reporter, subject: str) -> None:
    """Fetch a URL into an open file.

    A server's 'no' (4xx) is final; a broken connection or a 5xx is tried again with a growing
    pause. Raises SourceUnavailable.
    """
    for attempt in range(1, TRIES + 1):
        destination.seek(0)
        destination.truncate()
        try:
            _download(url, destination, reporter, subject)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or attempt == TRIES:
                raise SourceUnavailable(f"HTTP {error.code} {error.reason}", where=url) from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            if attempt == TRIES:
                raise SourceUnavailable(f"no answer: {reason}", where=url) from None
        time.sleep(2**attempt / 2)


def _download(url: str, destination: IO[bytes], reporter: Reporter, subject: str) -> None:
    with urllib.request.urlopen(url, timeout=60) as response:
        total = int(response.headers.get("Content-Length") or 0)
        done = 0
        while chunk := response.read(CHUNK):
            destination.write(chunk)
            done += len(chunk)
            reporter.emit(Advanced(subject, done, total, "bytes"))
    if total and done != total:
        raise OSError(f"the connection ended after {done} of {total} bytes")


def archive_commit(url: str, commit: str, destination: Path) -> None:
    """Write `git archive` of one commit, fetched alone. The commit's hash is the check."""
    if shutil.which("git") is None:
        raise SourceUnavailable("git is not installed", where=url, hint="install git")
    with tempfile.TemporaryDirectory(prefix="buildmatrix-git-") as folder:
        for arguments in (
            ["init", "-q"],
            # By full hash only: a branch that is named like a commit is not taken for one.
            ["fetch", "-q", "--depth", "1", "--no-tags", url, commit],
            ["archive", "--format=tar", "-o", str(destination.resolve()), commit],
        ):
            _git(arguments, folder=folder, url=url)


def _git(arguments: list[str], *, folder: str, url: str) -> None:
    # An own, small environment: no credential helper may ask, no user configuration may redirect.
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "HOME": folder,
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=1800,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise SourceUnavailable("git did not finish within 30 minutes", where=url) from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise SourceUnavailable(f"git: {said[-1] if said else 'failed'}", where=url)


def archive_folder(folder: Path, destination: Path) -> None:
    """Pack a local folder, so that all sources look the same from here on."""
    if not folder.is_dir():
        raise SourceUnavailable("no such folder", where=str(folder))
    with tarfile.open(destination, "w") as archive:
        archive.add(folder, arcname="source")
