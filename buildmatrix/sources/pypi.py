"""Where a file of a Python package lies in an index."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from buildmatrix.errors import SourceUnavailable
from buildmatrix.printable import without_credentials
from buildmatrix.sources import address, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON = "application/vnd.pypi.simple.v1+json"  # PEP 691; older mirrors answer with PEP 503's HTML
# Attributes have &lt; for <, see PEP 503. In two steps, each linear whatever the page holds.
ANCHOR = re.compile(r"<a\s([^<>]*)>\s*([^<\s]+)\s*</a>", re.I)
PROVENANCE = re.compile(r"""data-provenance\s*=\s*["']([^"'#]+)""", re.I)
ADDRESS = re.compile(r"""href\s*=\s*["']([^"'#]+)""", re.I)


@dataclass(frozen=True, slots=True)
class Listed:
    """A file on a package's page; its links may be relative."""

    name: str
    link: str
    provenance: str  # where the attestations of who published it are (PEP 740); empty for none


@dataclass(frozen=True, slots=True)
class _Page:
    """What an index says of a package: its address, media type and text."""

    url: str
    kind: str
    text: str


def locate(index: str, package: str, file: str, stopped: Callable[[], bool] = lambda: False) -> str:
    """The address of one file of a package. Raises SourceUnavailable when the index lacks it, and
    KeyboardInterrupt when it is `stopped`.

    `index` is the base address of a simple index (PEP 503, PEP 691), with credentials or without.
    """
    page = _page(index, package, stopped)
    listed = {one.name: one for one in _listed(page, package)}
    if file not in listed:
        raise SourceUnavailable(f"the Python index lists no {file} of {package}")
    return _followed(page, listed[file].link)


def provenance(index: str, package: str, file: str) -> str:
    """The text of a file's provenance object (PEP 740); empty where the index offers none. Raises
    SourceUnavailable when it does not answer."""
    page = _page(index, package)
    links = [one.provenance for one in _listed(page, package) if one.name == file]
    if not any(links):
        return ""
    _, text = _answer(_followed(page, links[0]), JSON)
    return text


def _page(index: str, package: str, stopped: Callable[[], bool] = lambda: False) -> _Page:
    url = f"{index.rstrip('/')}/{normalized(package)}/"
    return _Page(url, *_answer(url, f"{JSON}, text/html;q=0.5", stopped))


def _followed(page: _Page, link: str) -> str:
    """The address that a link of a page leads to. Raises SourceUnavailable for another than HTTP's:
    an index has no say over files of this machine."""
    try:
        url = urljoin(page.url, link)
        scheme = urlsplit(url).scheme
    except ValueError:
        url = scheme = ""
    if scheme not in ("http", "https"):
        shown = without_credentials(repr(link[:200]))
        raise SourceUnavailable(f"the Python index links to what is no address: {shown}")
    return address.with_credentials_of(page.url, url)


def _answer(
    url: str, accepted: str, stopped: Callable[[], bool] = lambda: False
) -> tuple[str, str]:
    """The media type and text that an index answers with. Raises SourceUnavailable."""
    try:
        kind, content = fetch.page(url, {"Accept": accepted}, stopped)
    except SourceUnavailable as error:
        raise SourceUnavailable(f"the Python index does not answer: {error.brief}") from None
    return kind, content.decode(errors="replace")


def _listed(page: _Page, package: str) -> tuple[Listed, ...]:
    try:
        return tuple(links(page.text, page.kind))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SourceUnavailable(f"the Python index's page of {package} is not one") from None


def links(text: str, kind: str) -> Iterator[Listed]:
    """Each file on a package's page, whose media type `kind` is."""
    if kind == JSON:
        for entry in json.loads(text)["files"]:
            match entry:
                case {"filename": str(name), "url": str(link)}:
                    yield Listed(name, link, str(entry.get("provenance") or ""))
                case _:
                    raise ValueError("a file without a name or a link")
    else:
        for attributes, name in ANCHOR.findall(text):
            if found := ADDRESS.search(attributes):
                offered = PROVENANCE.search(attributes)
                told = html.unescape(offered[1]) if offered else ""
                yield Listed(html.unescape(name), html.unescape(found[1]), told)


def normalized(package: str) -> str:
    """PEP 503.

    >>> normalized("Tensorflow_CPU")
    'tensorflow-cpu'
    """
    return re.sub(r"[-_.]+", "-", package).lower()
