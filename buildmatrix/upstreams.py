"""Which Debian mirror and which Python index this machine uses, as apt and pip are set up here."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES = {"bullseye", "bookworm", "trixie", "forky", "duke", "sid"}
SUITES = RELEASES | {"oldstable", "stable", "testing", "unstable"}
KEYRING = "debian-archive-"  # keyrings of the distribution itself are named so
ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<rest>\S.*)")

# pip's own merge of its configuration files, PIP_INDEX_URL and its default.
ASK_PIP = (
    "from pip._internal.commands import create_command as create; "
    "print(create('download').parser.get_default_values().index_url)"
)


@dataclass(frozen=True, slots=True)
class AptSource:
    """One place that apt fetches binary packages from."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: str  # where signed-by stands


def debian_mirror(sources: Path = Path("/etc/apt")) -> str:
    """Base address of the Debian archive, without a slash at its end.

    Other vendors publish for Debian's suites too. The archive is told from them by its keyring
    (Signed-By), then by an address that ends in /debian; the first such source wins.
    Raises InputError when no source of `sources` carries a Debian suite with component main.
    """
    found = [s for s in apt_sources(sources) if SUITES & {*s.suites} and "main" in s.components]
    usable = [(s, uri) for s in found if (uri := _address(s.uri))]
    if not usable:
        raise InputError(
            "no Debian mirror in apt's sources",
            where=str(sources),
            hint=f"add a Debian source (component main) to {sources / 'sources.list.d'}",
        )
    return min(usable, key=lambda pair: _strangeness(*pair))[1]


def python_index() -> str:
    """Base address of pip's package index. Raises InputError when pip cannot be asked."""
    asked = subprocess.run(
        [sys.executable, "-c", ASK_PIP], capture_output=True, text=True, timeout=60, check=False
    )
    if asked.returncode != 0 or not asked.stdout.strip():
        raise InputError(
            "pip does not tell its package index", hint="set BUILDMATRIX_PYTHON_INDEX to one"
        )
    return asked.stdout.strip()


def apt_sources(directory: Path) -> Iterator[AptSource]:
    """Enabled binary sources in both formats (sources.list(5)), in apt's order."""
    listed = sorted((directory / "sources.list.d").glob("*"))
    for path in [directory / "sources.list", *listed]:
        if path.is_file() and path.suffix == ".list":
            yield from one_line(path.read_text(errors="replace"))
        elif path.is_file() and path.suffix == ".sources":
            yield from deb822(path.read_text(errors="replace"))


def one_line(text: str) -> Iterator[AptSource]:
    """`deb [options] uri suite component...`, one a line."""
    for line in text.splitlines():
        if match := ONE_LINE.fullmatch(line.split("#")[0].strip()):
            suite, *components = match["rest"].split()
            yield AptSource(match["uri"], (suite,), tuple(components), match["options"] or "")


def deb822(text: str) -> Iterator[AptSource]:
    """Stanzas of `Field: value`, continued on indented lines, divided by empty lines."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields: dict[str, str] = {}
        for match in re.finditer(r"^(\S+?):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE):
            fields[match[1].lower()] = match[2].strip()
        enabled = fields.get("enabled", "yes").lower() in {"yes", "true", "1", "on", "with"}
        if enabled and "deb" in fields.get("types", "").split():
            suites = tuple(fields.get("suites", "").split())
            components = tuple(fields.get("components", "").split())
            for uri in fields.get("uris", "").split():
                yield AptSource(uri, suites, components, fields.get("signed-by", ""))


def _address(uri: str) -> str:
    """What a downloader can use; `mirror+file:` (Debian's cloud images) names a list of these."""
    if uri.startswith("mirror+file:"):
        path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
        lines = path.read_text().splitlines() if path.is_file() else []
        uri = next((line.split()[0] for line in lines if line.strip() and line[0] != "#"), "")
    return uri.rstrip("/") if uri.startswith(("http://", "https://", "file:")) else ""


def _strangeness(source: AptSource, uri: str) -> tuple[bool, bool]:
    return KEYRING not in source.options, not uri.endswith("/debian")
