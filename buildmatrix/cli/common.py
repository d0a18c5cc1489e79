"""What every command shares: where state lies, how errors end, how output looks."""

from __future__ import annotations

import functools
import getpass
import io
import json
import os
import re
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.cli import ownership
from buildmatrix.errors import UsageError
from buildmatrix.shelf import project_folder
from buildmatrix.upstreams import debian_mirror, python_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import Scalar
    from buildmatrix.pipeline.answered import Question
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.progress import Progress
    from buildmatrix.protocols import Reporter

INV = re.compile(r"(?<![\w/.-])inv (?=[a-z])")  # as messages and notes write a command
NO_UTF8 = re.compile(r"[\ud800-\udfff]")  # see os.fsdecode, 'surrogateescape'

# What says which container engine is meant.
ENGINE = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "XDG_RUNTIME_DIR",
)
# What decides how the network is reached: git gets these as every other download does.
NETWORK = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_PROXY_SSL_CAINFO"),
)

PIPED = 160  # columns of a table that goes into a pipe


def state_of(matrix: str, state: str) -> Path:
    """The state folder: --state, else $BUILDMATRIX_STATE, else beside the matrix. It stays that of
    whoever it belongs to."""
    if chosen := state or os.environ.get("BUILDMATRIX_STATE", ""):
        folder = Path(os.path.realpath(chosen))
    else:
        folder = project_folder(Path(matrix)) / ".buildmatrix"
    ownership.keep(folder)
    return folder


def share_board_images(matrix: str, state: str) -> None:
    """Let virtual boards stand on images that all projects of a person share; but where --state or
    $BUILDMATRIX_STATE says where everything is, these are there too."""
    if state or os.environ.get("BUILDMATRIX_STATE"):
        return
    from platformdirs import user_cache_path

    from buildmatrix.virtual import sharing

    sharing.share(state_of(matrix, state), user_cache_path("buildmatrix") / "boards")


def mirror() -> str:
    """The Debian mirror: $BUILDMATRIX_DEBIAN_MIRROR, else the machine's own."""
    return os.environ.get("BUILDMATRIX_DEBIAN_MIRROR", "").rstrip("/") or debian_mirror()


def index() -> str:
    """The Python package index: $BUILDMATRIX_PYTHON_INDEX, else pip's own."""
    return os.environ.get("BUILDMATRIX_PYTHON_INDEX", "") or python_index()


def network() -> dict[str, str]:
    """The variables that are set and decide how the network is reached."""
    return {name: os.environ[name] for name in NETWORK if name in os.environ}


def workshop(
    matrix: str,
    only: list[str] | None,
    state: str,
    reporter: Reporter,
    *,
    model: str = "",
    jobs: int = 0,
    works: int = 0,
    archives: str = "",
    include: Sequence[Mapping[str, Scalar]] = (),
) -> Workshop:
    """Read the project, with cells beside those of its matrix, and stand ready to work on it."""
    from buildmatrix.pipeline import project
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Note

    where = state_of(matrix, state)
    settings = ("BUILDMATRIX_ARCHIVES", "BUILDMATRIX_SOURCES")  # the second as it was before
    folder = archives or next((os.environ[name] for name in settings if name in os.environ), "")
    if folder and not Path(folder).is_dir():
        raise UsageError(f"--archives {folder}: no such folder")
    loaded = project.load(
        Path(matrix), only=tuple(only or ()), model=model, include=include, state=where
    )
    for idle in loaded.matrix.idle:
        reporter.emit(Note("warning", str(idle)))
    return Workshop(
        project=loaded,
        state=where,
        reporter=reporter,
        mirror=mirror,
        index=index,
        archives=Path(folder) if folder else None,
        jobs=_at_least_none("jobs", jobs) or os.cpu_count() or 1,
        works=_at_least_none("works", works),
        engine_place=engine_place(),
        shared=os.environ.get("BUILDMATRIX_SHARED", ""),
        shares=os.environ.get("BUILDMATRIX_SHARED_READ_ONLY", "") in ("", "0"),
        shares_images=os.environ.get("BUILDMATRIX_SHARED_IMAGES", "1") not in ("", "0"),
        network=network(),
        keyrings=keyrings(),
    )


def question(matrix: str, state: str, words: Mapping[str, object]) -> Question | None:
    """The question of a build, which may have been answered before; None where more decides than
    files of this machine do. `words` is what else the command was given."""
    elsewhere = ("BUILDMATRIX_SHARED", "BUILDMATRIX_ARCHIVES", "BUILDMATRIX_SOURCES")
    if any(name in os.environ for name in elsewhere):
        return None
    from buildmatrix.pipeline import answered

    return answered.asked(Path(matrix), state_of(matrix, state), words)


def keyrings() -> tuple[Path, ...]:
    """What signatures of sources are held against: Debian's, or those that a variable names."""
    from buildmatrix.sources.signature import KEYRINGS

    named = os.environ.get("BUILDMATRIX_KEYRINGS", "")
    return tuple(map(Path, named.split(":"))) if named else KEYRINGS


def engine_place() -> dict[str, str]:
    """The settings that say which container engine is meant, as the `docker` command has them."""
    return {name: os.environ[name] for name in ENGINE if os.environ.get(name)}


@contextmanager
def workers(shop: Workshop, executor: str) -> Iterator[None]:
    """Have what compiles made on the workers at an address; an empty one names this machine."""
    if not executor:
        yield
        return
    if not (shop.shared and shop.shares):
        raise UsageError(
            "--executor: workers take what they need from a shared store, and none is written to",
            hint="BUILDMATRIX_SHARED names it: a folder that all mount, or s3://BUCKET/PATH",
        )
    from buildmatrix.cluster.client import Cluster

    with closing(Cluster(executor, shop.reporter)) as shop.executor:
        yield


def _at_least_none(flag: str, number: int) -> int:
    if number < 0:
        raise UsageError(f"--{flag} {number}: 0 or more is wanted")
    return number


def progress() -> Progress:
    """The display of this process."""
    return _progress()


@functools.cache
def _progress() -> Progress:
    from buildmatrix.progress import Progress

    return Progress(spoken=spoken)


def asked(prompt: str) -> str:
    """A secret that a person types, while the display stands still."""
    with progress().paused():
        return getpass.getpass(prompt)


def print_json(document: object) -> None:
    """A document on stdout, valid JSON whatever the names of files are."""
    from pydantic_core import to_json

    try:  # as `json.dumps` writes it, in a fifth of the time: a plan may be long
        sys.stdout.write(to_json(document, indent=1).decode() + "\n")
        return
    except ValueError:  # text that is no Unicode
        text = json.dumps(document, indent=1, ensure_ascii=False)
    # A byte of a file name that is no UTF-8 is a lone surrogate here, which JSON cannot carry.
    sys.stdout.write(NO_UTF8.sub(lambda byte: rf"\\x{ord(byte[0]) & 0xFF:02x}", text) + "\n")


def print_table(table: object, *, width: int = 0) -> None:
    """A rich renderable on stdout: as wide as the terminal; in a pipe COLUMNS, else wide, so that
    `grep` gets whole rows."""
    from rich.console import Console

    columns = os.environ.get("COLUMNS", "")
    piped = int(columns) if columns.isdecimal() else PIPED
    chosen = width or (None if sys.stdout.isatty() else piped)
    if isinstance(sys.stdout, io.TextIOWrapper):  # for names of files that are no UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    Console(width=chosen, highlight=False).print(table, crop=False)


def spoken(text: str) -> str:
    """Words for people, with every command in the word by which this program was called."""
    return INV.sub(f"{program()} ", text)


def program() -> str:
    """The word by which this program was called: inv, or buildmatrix."""
    word = Path(sys.argv[0]).name
    return word if word in ("inv", "invoke") else "buildmatrix"


def say(text: str) -> None:
    """A result on stdout."""
    sys.stdout.write(spoken(text) + "\n")
