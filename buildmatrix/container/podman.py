"""What Podman must be, and have beside itself, to run builds."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

NAME = "Podman Engine"  # as it calls itself in its answer to Docker's question for its version
OLDEST = (4, 3)  # that the contract of an engine was tried with
TELLS_MEMORY = (5, 0)  # 5.4 was seen to, 4.3 not to
CATATONIT = (
    "install catatonit (Debian: catatonit): Podman starts it as a container's first process, which "
    "reaps the others"
)
DELEGATED = (
    "a build that takes too much takes the machine's: let Podman be root's, or give users the "
    "controller memory of cgroups v2 (systemd: Delegate=memory for user@.service)"
)
INFO = "/v4.0.0/libpod/info"  # what Docker's words for an engine have no place for
# Where containers.conf(5) says that Podman looks for its helpers, before PATH.
HELPERS = (
    "/usr/local/libexec/podman",
    "/usr/local/lib/podman",
    "/usr/libexec/podman",
    "/usr/lib/podman",
)


@dataclass(frozen=True, slots=True)
class Podman:
    """The version that answered, whether it runs on this machine, and as whom; `controllers` are
    those of cgroups that it may use."""

    version: str
    here: bool
    rootless: bool = False
    controllers: frozenset[str] = frozenset()

    @property
    def is_old(self) -> bool:
        """Whether it is older than any that was tried.

        >>> Podman("3.0.1", True).is_old, Podman("4.3.1", True).is_old, Podman("10.0", True).is_old
        (True, False, False)
        """
        return _numbers(self.version) < OLDEST

    @property
    def tells_memory(self) -> bool:
        """Whether it says of a container that it was killed for memory.

        >>> Podman("4.3.1", True).tells_memory, Podman("5.4.2", True).tells_memory
        (False, True)
        """
        return _numbers(self.version) >= TELLS_MEMORY

    @property
    def lacks_catatonit(self) -> bool:
        """Whether it will find no first process for a container; of one elsewhere: nobody knows."""
        beside = shutil.which("catatonit", path=":".join(HELPERS))
        return self.here and not (beside or shutil.which("catatonit"))

    @property
    def limits_no_memory(self) -> bool:
        """Whether it takes a container's limit and lets it have all: users get no controllers of
        cgroups v1, and of v2 those that are delegated to them."""
        return self.rootless and "memory" not in self.controllers


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))
