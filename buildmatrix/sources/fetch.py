"""Bytes from outside, over HTTPS. Deadlines and retries."""

from __future__ import annotations

import errno
import http.client
import io
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import SourceUnavailable
from buildmatrix.printable import without_credentials
from buildmatrix.protocols import Advanced
from buildmatrix.sources import address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO

    from buildmatrix.protocols import Reporter

TRIES = 3
CHUNK = 1 << 18
NO_SERVERS_FAULT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
SLOWEST, PATIENCE = 1 << 10, 60.0  # bytes a second over so many seconds: below it, it is no answer
LARGEST = 8 << 30  # bytes of one download; PyTorch's largest wheel of 2026 has 3
LARGEST_PAGE = 64 << 20


def download(
    url: str,
    destination: IO[bytes],
    *,
    reporter: Reporter,
    subject: str,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Fetch a URL into an open file. Raises SourceUnavailable, whatever the server says, and
    KeyboardInterrupt when it is `stopped`."""

    def tell(done: int, total: int) -> None:
        reporter.emit(Advanced(subject, done, total, "bytes"))

    _fetch(_Asked(url, {}, LARGEST, tell, stopped), destination)


def page(
    url: str, headers: Mapping[str, str], stopped: Callable[[], bool] = lambda: False
) -> tuple[str, bytes]:
    """The media type and content that a server answers with. Raises as `download` does."""
    content = io.BytesIO()
    kind = _fetch(_Asked(url, headers, LARGEST_PAGE, lambda *_: None, stopped), content)
    return kind, content.getvalue()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is wanted of a server: `tell` gets the bytes that are there, and all, 0 if unknown."""

    url: str
    headers: Mapping[str, str]
    largest: int
    tell: Callable[[int, int], None]
    stopped: Callable[[], bool]


def _fetch(asked: _Asked, destination: IO[bytes]) -> str:
    """Put the answer into an open file; its media type.

    A server's 'no' (4xx) is final; a broken connection, an answer that is not HTTP or a 5xx is
    tried again with a growing pause.
    """
    url = asked.url
    where = without_credentials(url)
    for attempt in range(1, TRIES + 1):
        destination.seek(0)
        destination.truncate()
        try:
            return _once(asked, destination)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or attempt == TRIES:
                raise SourceUnavailable(f"HTTP {error.code} {error.reason}", where=where) from None
        except (http.client.HTTPException, ValueError) as error:  # a redirect to no address
            if attempt == TRIES:
                brief = f"the answer is not HTTP ({type(error).__name__})"
                raise SourceUnavailable(brief, where=where) from None
        except OSError as error:
            if error.errno in NO_SERVERS_FAULT:
                raise  # the disk is full, say: no alternate helps
            fault = getattr(error, "reason", error)
            if isinstance(fault, ssl.SSLCertVerificationError):
                brief = f"its certificate is not trusted: {fault.verify_message}"
                brief += "; SSL_CERT_FILE names a file of CA certificates that are"
                raise SourceUnavailable(brief, where=where) from None
            reason = without_credentials(str(fault))
            if attempt == TRIES:
                raise SourceUnavailable(f"no answer: {reason}", where=where) from None
        time.sleep(2**attempt / 2)
    raise AssertionError("the last try ends by itself")


def _once(asked: _Asked, destination: IO[bytes]) -> str:
    request = address.request(asked.url, asked.headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        length = (response.headers.get("Content-Length") or "").strip()
        total = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
        done = lately = 0
        since = time.monotonic()
        while chunk := response.read1(CHUNK):  # what is there: a whole chunk may be hours away
            if asked.stopped():
                raise KeyboardInterrupt
            done, lately = done + len(chunk), lately + len(chunk)
            if (now := time.monotonic()) - since > PATIENCE:
                if lately < SLOWEST * (now - since):
                    raise OSError(f"less than {SLOWEST} bytes a second came")
                since, lately = now, 0
            if max(done, total) > asked.largest:
                brief = f"is larger than {asked.largest >> 20:,} MiB"
                raise SourceUnavailable(brief, where=without_credentials(asked.url))
            destination.write(chunk)
            asked.tell(done, total)
    if total and done != total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
    return str(response.headers.get_content_type())
