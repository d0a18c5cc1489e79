"""Which proxies the commands of an image that is made can use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = re.compile(r"^([a-z0-9+]+://)?([^@/]*@)?(localhost|127\.[0-9.]+|\[::1\])(:|/|$)", re.I)


def proxies_of(network: Mapping[str, str]) -> dict[str, str]:
    """Of the variables that decide how the network is reached those that name a proxy which is
    there for a container too: at its loopback address is nobody.

    >>> proxies_of({"http_proxy": "http://proxy.example:3128", "SSL_CERT_FILE": "/etc/ca.pem"})
    {'http_proxy': 'http://proxy.example:3128'}
    >>> proxies_of({"http_proxy": "http://127.0.0.1:3128", "https_proxy": "localhost:3128"})
    {}
    """
    proxies = {name: at for name, at in network.items() if name.lower().endswith("_proxy")}
    return {name: at for name, at in proxies.items() if not LOOPBACK.search(at)}
