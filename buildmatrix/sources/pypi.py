"""Where a file of a Python package lies in an index."""

from __future__ import annotations

import html
import json
import re
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from buildmatrix.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = "application/vnd.pypi.simple.v1+json"  # PEP 691; older mirrors answer with PEP 503's HTML
ANCHOR = re.compile(r"""<a\s[^>]*?href\s*=\s*["']([^"'#]+)[^>]*>\s*([^<\s]+)\s*</a>""", re.I)


def locate(index: str, package: str, file: str) -> str:
    """The address of one file of a package. Raises SourceUnavailable when the index lacks it.

    `index` is the base address of a simple index (PEP 503, PEP 691).
    """
    page = f"{index.rstrip('/')}/{normalized(package)}/"
    request = urllib.request.Request(page, headers={"Accept": f"{JSON}, text/html;q=0.5"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            kind = response.headers.get_content_type()
            text = response.read().decode()
    except OSError as error:
        raise SourceUnavailable(f"the Python index does not answer: {error}") from None
    for name, address in links(text, kind):
        if name == file:
            return urljoin(page, address)
    raise SourceUnavailable(f"the Python index lists no {file} of {package}")


def links(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """(file name, address) of each file on a package's page; `kind` is its media type."""
    if kind == JSON:
        for entry in json.loads(text)["files"]:
            yield entry["filename"], entry["url"]
    else:
        for address, name in ANCHOR.findall(text):
            yield html.unescape(name), html.unescape(address)


def normalized(package: str) -> str:
    """PEP 503.

    >>> normalized("Tensorflow_CPU")
    'tensorflow-cpu'
    """
    return re.sub(r"[-_.]+", "-", package).lower()
