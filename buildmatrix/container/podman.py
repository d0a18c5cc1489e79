"""What Podman must be, and have beside itself, to run builds."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

NAME = "Podman Engine"  # as it calls itself in its answer to Docker's question for its version
OLDEST = (4, 3)  # that the contract of an engine was tried with
CATATONIT = (
    "install catatonit (Debian: catatonit): Podman starts it as a container's first process, which "
    "reaps the others"
)
# Where containers.conf(5) says that Podman looks for its helpers, before PATH.
HELPERS = (
    "/usr/local/libexec/podman",
    "/usr/local/lib/podman",
    "/usr/libexec/podman",
    "/usr/lib/podman",
)


@dataclass(frozen=True, slots=True)
class Podman:
    """The version that answered, and whether it runs on this machine."""

    version: str
    here: bool

    @property
    def is_old(self) -> bool:
        """Whether it is older than any that was tried.

        >>> Podman("3.0.1", True).is_old, Podman("4.3.1", True).is_old, Podman("10.0", True).is_old
        (True, False, False)
        """
        return tuple(map(int, re.findall(r"\d+", self.version)[:2])) < OLDEST

    @property
    def lacks_catatonit(self) -> bool:
        """Whether it will find no first process for a container; of one elsewhere: nobody knows."""
        beside = shutil.which("catatonit", path=":".join(HELPERS))
        return self.here and not (beside or shutil.which("catatonit"))
