"""The keywords of ssh_config(5), in small letters, and which of them take what."""

from __future__ import annotations

from functools import cache
from importlib import resources

# Each takes the rest of its line as it is, quotes and comments too.
RAW = frozenset(
    {
        "knownhostscommand",
        "localcommand",
        "proxycommand",
        "proxyjump",
        "remotecommand",
    }
)
SEVERAL = frozenset({"certificatefile", "identityfile"})  # each line adds one
MOST = 100  # of those: OpenSSH 9.2 refuses the next line, though it repeats one
MANY = frozenset({"globalknownhostsfile", "userknownhostsfile"})  # the first line has them all
SINGLE = frozenset(
    {
        "addressfamily",
        "bindaddress",
        "bindinterface",
        "canonicalizehostname",
        "compression",
        "connecttimeout",
        "hostkeyalias",
        "hostname",
        "identitiesonly",
        "identityagent",
        "port",
        "refuseconnection",  # 10.6 takes one word or a quoted text, whatever it is a message
        "revokedhostkeys",
        "user",
    }
)


@cache
def known() -> frozenset[str]:
    """All that OpenSSH 10.6 takes, and what vendors add: Kerberos's of Debian, Apple's keychain."""
    text = (resources.files("buildmatrix.ssh") / "keywords.txt").read_text("ascii")
    return frozenset(text.split())
