"""The way to a Dask scheduler: its address as people write it, TLS, and who does not answer."""

from __future__ import annotations

import logging
from typing import Any

from buildmatrix.errors import BuildmatrixError, UsageError

SCHEMES = {"dask": "tcp", "dask+tls": "tls"}  # as the user writes them, as Dask does
CONNECT = 10.0  # seconds for a scheduler to answer
HOW = "in ~/.config/dask/tls.yaml, distributed: comm: tls: ca-file, and cert and key of the client"


def as_dask_says(address: str) -> str:
    """The address as Dask's own commands take it. Raises UsageError for one of another kind."""
    scheme, _, place = address.partition("://")
    if scheme not in SCHEMES or not place:
        raise UsageError(
            f"--executor {address}: no such executor", hint="--executor dask://HOST:8786"
        )
    return f"{SCHEMES[scheme]}://{place}"


def connected(address: str) -> Any:
    """A client of the scheduler there.

    Raises UsageError for an address that Dask's configuration here does not allow,
    BuildmatrixError when nobody answers.
    """
    place = as_dask_says(address)
    _allowed(address)
    import distributed

    connect: Any = distributed.Client  # parts of it have no types
    # Dask tells of every broken connection on its own; what it means for a build is told here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        return connect(place, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as failure:
        raise BuildmatrixError(
            f"no Dask scheduler answers at {address}",
            details=str(failure),
            hint="start one with `dask scheduler`, or leave out --executor to build here",
        ) from None


def _allowed(address: str) -> None:
    """Hold an address against Dask's configuration here, whose own refusals are tracebacks."""
    import distributed

    security: Any = distributed.Security  # without types
    try:
        found = security().get_connection_args("client")
    except OSError as failure:
        raise UsageError(
            "Dask's configuration here names a certificate or key that cannot be read",
            details=str(failure),
            hint=HOW,
        ) from None
    encrypted = as_dask_says(address).startswith("tls:")
    if encrypted and found["ssl_context"] is None:
        raise UsageError(
            f"--executor {address}: Dask's configuration here names no certificate", hint=HOW
        )
    if found["require_encryption"] and not encrypted:
        raise UsageError(
            f"--executor {address}: Dask's configuration here wants TLS",
            hint=f"--executor {address.replace('dask://', 'dask+tls://')}",
        )
