"""Certificates of one's own, named once: whichever usual variable names them counts everywhere.

Python reads SSL_CERT_FILE, pip and requests, curl, git and AWS's client each another one. Where one
is set and the others are not, all name the same file, for downloads here and in what is started.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

# In this order the first that is set counts for those that are not.
OF_A_FILE = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
)
OF_A_FOLDER = ("SSL_CERT_DIR", "GIT_SSL_CAPATH")  # REQUESTS_CA_BUNDLE and PIP_CERT may be one


def settle(environment: MutableMapping[str, str]) -> None:
    """Give all variables for certificates the value of the one that is set.

    Raises UsageError for a file that is not there: OpenSSL would trust nobody and not say why.
    """
    name = next((name for name in (*OF_A_FILE, *OF_A_FOLDER) if environment.get(name)), "")
    if not name:
        return
    path = environment[name].split(":")[0]  # SSL_CERT_DIR is a list
    if not Path(path).exists():
        raise UsageError(
            f"{name}={path}: there is no such file",
            hint="name a file of CA certificates in PEM, or unset it",
        )
    for other in OF_A_FOLDER if Path(path).is_dir() else OF_A_FILE:
        environment[other] = environment.get(other) or path
