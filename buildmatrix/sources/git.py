"""What comes from git repositories: the files of a commit, and the tag that names it."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import scratch
from buildmatrix.errors import SourceUnavailable
from buildmatrix.printable import without_credentials
from buildmatrix.sources import address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SECONDS = 1800.0  # that one command of git's may take


def archive_commit(
    url: str,
    commit: str,
    destination: Path,
    network: Mapping[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Write `git archive` of one commit, fetched alone. The commit's hash is the check.

    `network` holds the variables that name proxies and certificates, as for every download.
    """
    with _clone(url, destination.parent, network, stopped) as clone:
        # By full hash only: a branch that is named like a commit is not taken for one.
        clone.run("fetch", "-q", "--depth", "1", "--no-tags", clone.bare, commit)
        clone.run("archive", "--format=tar", "-o", str(destination.resolve()), commit)


def tag_object(
    url: str,
    name: str,
    beside: Path,
    network: Mapping[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> bytes:
    """A tag as git keeps it; empty for one that is a name alone. What is fetched for it lies in a
    folder in `beside` meanwhile. Raises SourceUnavailable where there is no such tag."""
    ref = f"refs/tags/{name}"
    with _clone(url, beside, network, stopped) as clone:
        # The commit's files are not wanted; a server that cannot leave them out sends them.
        sparing = ("--depth", "1", "--filter=tree:0", "--no-tags")
        clone.run("fetch", "-q", *sparing, clone.bare, f"+{ref}:{ref}")
        if clone.run("cat-file", "-t", ref).strip() != b"tag":
            return b""
        return clone.run("cat-file", "tag", ref)


@dataclass(frozen=True, slots=True)
class _Clone:
    """An empty repository to fetch into; `bare` is the address without what it tells of people."""

    folder: Path
    url: str
    bare: str
    environment: Mapping[str, str]
    stopped: Callable[[], bool]

    def run(self, *arguments: str) -> bytes:
        """What the command prints. Raises SourceUnavailable with git's last line."""
        with subprocess.Popen(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                said = _until_its_end(process, self.stopped)
            except BaseException:
                process.kill()
                raise
        if said is None:
            brief = "git did not finish within 30 minutes"
            raise SourceUnavailable(brief, where=without_credentials(self.url))
        out, err = said
        if process.returncode != 0:
            lines = without_credentials(err.decode(errors="replace")).strip().splitlines()
            brief = f"git: {lines[-1] if lines else 'failed'}"
            raise SourceUnavailable(brief, where=without_credentials(self.url))
        return out


@contextmanager
def _clone(
    url: str, beside: Path, network: Mapping[str, str] | None, stopped: Callable[[], bool]
) -> Iterator[_Clone]:
    """Credentials of an address of HTTP go by git's environment: every user sees a command's
    words."""
    if shutil.which("git") is None:
        where = without_credentials(url)
        raise SourceUnavailable("git is not installed", where=where, hint="install git")
    bare, settings = url, dict(network or {})
    if url.startswith(("http://", "https://")):
        bare, authorisation = address.parted(url)
        if authorisation:
            settings["GIT_CONFIG_COUNT"] = "1"
            settings["GIT_CONFIG_KEY_0"] = f"http.{bare}.extraHeader"
            settings["GIT_CONFIG_VALUE_0"] = f"Authorization: {authorisation}"
    # By a name that is swept: a killed fetch would leave a clone in /tmp.
    with scratch.folder(beside, "fetch-git-") as folder:
        # An own, small environment: no credential helper may ask, no user configuration redirect.
        environment = {
            **settings,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "HOME": str(folder),
        }
        clone = _Clone(folder, url, bare, environment, stopped)
        clone.run("init", "-q")
        yield clone


def _until_its_end(
    process: subprocess.Popen[bytes], stopped: Callable[[], bool]
) -> tuple[bytes, bytes] | None:
    """What a process wrote until it ended; None when its time was up and it was killed."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return process.communicate(timeout=0.5)
        except subprocess.TimeoutExpired:
            if stopped():
                raise KeyboardInterrupt from None
            if time.monotonic() > end:
                process.kill()
                return None
