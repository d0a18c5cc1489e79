"""Addresses that may carry credentials: sent as authorisation, shown as ***, kept nowhere."""

from __future__ import annotations

import base64
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from buildmatrix.errors import SourceUnavailable
from buildmatrix.printable import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping


def request(url: str, headers: Mapping[str, str] | None = None) -> urllib.request.Request:
    """A request whose credentials are a header that no redirect takes along.

    Raises SourceUnavailable for what is no address.
    """
    bare, authorisation = parted(url)
    asked = urllib.request.Request(bare, headers=headers or {})
    if authorisation:
        asked.add_unredirected_header("Authorization", authorisation)
    return asked


def parted(url: str) -> tuple[str, str]:
    """An address of HTTP without its credentials, and what its Authorization header says of them;
    empty where it has none. Raises SourceUnavailable for what is no address.

    >>> parted("https://me:secret@host.example/a.tar")
    ('https://host.example/a.tar', 'Basic bWU6c2VjcmV0')
    """
    parts = _parts(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if parts.username is None:
        return bare, ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return bare, f"Basic {base64.b64encode(pair).decode()}"


def with_credentials_of(page: str, url: str) -> str:
    """A link of a page with the page's credentials, where it leads to the same server (as pip)."""
    from_page, link = _parts(page), _parts(url)
    userinfo, at, host = from_page.netloc.rpartition("@")
    if not at or "@" in link.netloc or (link.scheme, link.netloc) != (from_page.scheme, host):
        return url
    return urlunsplit(link._replace(netloc=f"{userinfo}@{host}"))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a word in the port's place is told only when it is asked for
    except ValueError as error:
        raise SourceUnavailable(f"is no address: {error}", where=without_credentials(url)) from None
    return parts
