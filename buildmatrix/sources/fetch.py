"""Bytes from outside, over HTTPS. Deadlines and retries."""

from __future__ import annotations

import errno
import http.client
import ssl
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from buildmatrix.errors import SourceUnavailable
from buildmatrix.printable import without_credentials
from buildmatrix.protocols import Advanced
from buildmatrix.sources import address

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from buildmatrix.protocols import Reporter

TRIES = 3
CHUNK = 1 << 18
NO_SERVERS_FAULT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
SLOWEST, PATIENCE = 1 << 10, 60.0  # bytes a second over so many seconds: below it, it is no answer
LARGEST = 8 << 30  # bytes of one download; PyTorch's largest wheel of 2026 has 3


def download(
    url: str,
    destination: IO[bytes],
    *,
    reporter: Reporter,
    subject: str,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Fetch a URL into an open file.

    A server's 'no' (4xx) is final; a broken connection, an answer that is not HTTP or a 5xx is
    tried again with a growing pause. Raises SourceUnavailable, whatever the server says, and
    KeyboardInterrupt when it is `stopped`.
    """
    where = without_credentials(url)
    for attempt in range(1, TRIES + 1):
        destination.seek(0)
        destination.truncate()
        try:
            _download(url, destination, reporter, subject, stopped)
            return
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


def _download(
    url: str,
    destination: IO[bytes],
    reporter: Reporter,
    subject: str,
    stopped: Callable[[], bool],
) -> None:
    with urllib.request.urlopen(address.request(url), timeout=60) as response:
        length = (response.headers.get("Content-Length") or "").strip()
        total = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
        done = lately = 0
        since = time.monotonic()
        while chunk := response.read1(CHUNK):  # what is there: a whole chunk may be hours away
            if stopped():
                raise KeyboardInterrupt
            done, lately = done + len(chunk), lately + len(chunk)
            if (now := time.monotonic()) - since > PATIENCE:
                if lately < SLOWEST * (now - since):
                    raise OSError(f"less than {SLOWEST} bytes a second came")
                since, lately = now, 0
            if max(done, total) > LARGEST:
                brief = f"is larger than {LARGEST >> 30} GiB"
                raise SourceUnavailable(brief, where=without_credentials(url))
            destination.write(chunk)
            reporter.emit(Advanced(subject, done, total, "bytes"))
    if total and done != total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
