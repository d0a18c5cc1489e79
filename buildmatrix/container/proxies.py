"""How the commands of an image that is made reach the network."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


def authority_of(network: Mapping[str, str]) -> str:
    """The file or the folder of CA certificates that these variables name; empty when none does.

    >>> authority_of({"SSL_CERT_DIR": "/etc/ca:/etc/more"}), authority_of({})
    ('/etc/ca', '')
    """
    return network.get("SSL_CERT_FILE") or network.get("SSL_CERT_DIR", "").split(":")[0]


@dataclass(frozen=True, slots=True)
class Reach:
    """The variables that decide it, and who says which Debian mirror a base names."""

    variables: Mapping[str, str] = field(default_factory=dict)
    mirror: Callable[[], str] = str

    @property
    def proxies(self) -> dict[str, str]:
        return proxies_of(self.variables)

    def authority(self, dockerfile: str) -> str:
        """The CA certificates that its commands need; empty where nothing there is by TLS.

        >>> own = Reach({"SSL_CERT_FILE": "/etc/ca.pem"}, lambda: "http://mirror.example/debian")
        >>> own.authority("RUN apt-get update"), own.authority("RUN curl https://here.example")
        ('', '/etc/ca.pem')
        """
        addresses = (dockerfile, self.mirror(), *self.proxies.values())
        by_tls = any("https:" in address.lower() for address in addresses)
        return authority_of(self.variables) if by_tls else ""
