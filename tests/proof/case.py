"""One program or tree that is made, run and audited."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Fields that decide nothing of what is built.
NOT_BUILT = ("what", "quick", "undecidable", "everywhere")
ARM, AARCH64 = "arm", "aarch64"


@dataclass(frozen=True, slots=True)
class Case:
    """Sources and shell lines that leave a tree in `tree/`, of which `program` is started.

    The lines see CC, CXX and AS of `compiler` for `machine`, and PATCHELF. `quick` cases are those
    of continuous integration: they need nothing but the distribution's cross compilers.
    """

    name: str
    machine: str  # arm, aarch64
    compiler: str  # one of compilers.COMPILERS
    what: str  # for people
    files: Mapping[str, str]
    steps: tuple[str, ...]
    program: str = "bin/main"
    quick: bool = False
    arguments: tuple[str, ...] = field(default=())
    everywhere: bool = False  # it starts from any folder, or it does not start
    undecidable: str = ""  # why no reading of the file tells whether a run comes to the instruction

    @property
    def digest(self) -> str:
        """Changes when anything that decides the built tree changes."""
        row = {k: v for k, v in asdict(self).items() if k not in NOT_BUILT}
        return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:12]
