"""Servers of this machine that a test has for a while."""

from __future__ import annotations

import socketserver
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOOPBACK = "127.0.0.1"


@contextmanager
def serving(
    handler: Callable[[Any, Any, Any], socketserver.BaseRequestHandler],
    address: str = LOOPBACK,
    certificate: Path | None = None,
) -> Iterator[str]:
    """The host:port where connections are handled so; by TLS with a certificate."""
    with socketserver.ThreadingTCPServer((address, 0), handler) as there:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            there.socket = context.wrap_socket(there.socket, server_side=True)
        thread = threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{address}:{there.server_address[1]}"
        finally:
            there.shutdown()
            thread.join()


def answering(answer: Callable[[str], tuple[int, bytes]]) -> type[BaseHTTPRequestHandler]:
    """A handler of HTTP that says nothing on the terminal: to a path, or as a proxy to a whole
    address, it gives the status and the content that are its answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def certify(certificate: Path, address: str = LOOPBACK) -> None:
    """Write a certificate for an address that nobody trusts; its key lies beside it, in .key."""
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-subj", "/CN=here", "-addext", f"subjectAltName=IP:{address}"]
    argv = [*made, "-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
