"""Where a file of a Python package lies in an index."""

from __future__ import annotations

import html
import http.client
import json
import re
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from buildmatrix.errors import SourceUnavailable
from buildmatrix.sources import address

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 64 << 20  # bytes of a package's page
JSON = "application/vnd.pypi.simple.v1+json"  # PEP 691; older mirrors answer with PEP 503's HTML
# Attributes have &lt; for <, see PEP 503. In two steps, each linear whatever the page holds.
ANCHOR = re.compile(r"<a\s([^<>]*)>\s*([^<\s]+)\s*</a>", re.I)
ADDRESS = re.compile(r"""href\s*=\s*["']([^"'#]+)""", re.I)


def locate(index: str, package: str, file: str) -> str:
    """The address of one file of a package. Raises SourceUnavailable when the index lacks it.

    `index` is the base address of a simple index (PEP 503, PEP 691), with credentials or without.
    """
    page = f"{index.rstrip('/')}/{normalized(package)}/"
    request = address.request(page, {"Accept": f"{JSON}, text/html;q=0.5"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            kind = response.headers.get_content_type()
            text = response.read(LARGEST).decode(errors="replace")
        for name, link in links(text, kind):
            if name == file:
                return address.with_credentials_of(page, urljoin(page, link))
    except (OSError, http.client.HTTPException) as error:
        reason = address.shown(str(error)) or type(error).__name__
        raise SourceUnavailable(f"the Python index does not answer: {reason}") from None
    except (ValueError, KeyError, TypeError):
        raise SourceUnavailable(f"the Python index's page of {package} is not one") from None
    raise SourceUnavailable(f"the Python index lists no {file} of {package}")


def links(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """(file name, address) of each file on a package's page; `kind` is its media type."""
    if kind == JSON:
        for entry in json.loads(text)["files"]:
            yield entry["filename"], entry["url"]
    else:
        for attributes, name in ANCHOR.findall(text):
            if link := ADDRESS.search(attributes):
                yield html.unescape(name), html.unescape(link[1])


def normalized(package: str) -> str:
    """PEP 503.

    >>> normalized("Tensorflow_CPU")
    'tensorflow-cpu'
    """
    return re.sub(r"[-_.]+", "-", package).lower()
