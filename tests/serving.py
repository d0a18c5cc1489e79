"""Servers on loopback that a test has for a while."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def serving(handler: Callable[[Any, Any, Any], socketserver.BaseRequestHandler]) -> Iterator[str]:
    """The host:port on loopback where connections are handled so."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as there:
        thread = threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{there.server_address[1]}"
        finally:
            there.shutdown()
            thread.join()
