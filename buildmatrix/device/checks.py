"""What can speak against a board, as data: code, severity, meaning, hint. `gate` tells when.

docs/boards.md shows the same table, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.nouns import Finding, Severity

if TYPE_CHECKING:
    from buildmatrix.nouns import DeviceInfo

ERROR, WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True, slots=True)
class Check:
    """An error means 'do not upload', a warning 'a time measured now, or the gate, is doubtful'.

    `meaning` is a whole sentence that holds for every board; `audited` are the codes by which the
    audit, held against the board, explains the refusal file by file.
    """

    code: str
    severity: Severity
    meaning: str
    hint: str
    audited: tuple[str, ...] = ()

    def of(self, info: DeviceInfo, message: str) -> Finding:
        """The finding of this check about a board, in the words of this board."""
        return Finding(self.code, self.severity, info.name, message, self.hint)


USERLAND = Check(
    "BM301",
    ERROR,
    "The board's userland is for another machine than the bundle.",
    "build with a toolchain for the board's userland",
    ("BM101",),
)
FPU = Check(
    "BM302",
    ERROR,
    "The bundle needs floating-point or SIMD features that the board's CPU does not list.",
    "build with a toolchain for a lesser FPU",
    ("BM111", "BM112"),
)
MUSL = Check(
    "BM303",
    ERROR,
    "The board's libc is musl, and the bundle's is glibc.",
    "put a glibc userland on the board (Debian, Raspberry Pi OS), or log in to a chroot",
    ("BM130",),
)
OLD_LIBC = Check(
    "BM303",
    ERROR,
    "The board's glibc is older than the bundle may need.",
    "build with a toolchain of an older suite, or update the board",
    ("BM130",),
)
NO_ROOM = Check(
    "BM304",
    ERROR,
    "The board's disk has less room than the bundle takes.",
    "make room: inv deploy --prune",
)
UNKNOWN_LIBC = Check(
    "BM305",
    WARNING,
    "The board does not say which libc it has.",
    "see that `getconf GNU_LIBC_VERSION` works",
)
UNKNOWN_CPU = Check(
    "BM306",
    WARNING,
    "The board lists no features of an ARM CPU, so the need of NEON is unchecked.",
    "look at /proc/cpuinfo there",
)
THROTTLED = Check(
    "BM307",
    WARNING,
    "The firmware slows the board down now.",
    "give it a better supply or cooling",
)
BUSY = Check(
    "BM308",
    WARNING,
    "The board has other work.",
    "stop it before a benchmark",
)
GOVERNOR = Check(
    "BM309",
    WARNING,
    "A governor may move the clock.",
    "set performance in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
)
HOT = Check(
    "BM310",
    WARNING,
    "The board is hot, and will slow down.",
    "let it cool down, or give it a heat sink",
)
FLOATS = Check(
    "BM311",
    ERROR,
    "The board's userland passes floats in other registers than the bundle.",
    "build with a toolchain for the board's userland, or install the other one",
    ("BM103",),
)
NOEXEC = Check(
    "BM312",
    ERROR,
    "Nothing may be executed where the bundle would be.",
    "remount it with exec, or make ~/.buildmatrix a link to a folder of another disk",
)
READ_ONLY = Check(
    "BM313",
    ERROR,
    "Nothing can be written where the bundle would be.",
    "remount it writable, or check the card: Linux does so after an error",
)
WRONG_TIME = Check(
    "BM314",
    WARNING,
    "The board's time of day is not this machine's.",
    "let it find the time (timedatectl set-ntp true), or set it with date as root",
)
NO_HOME = Check(
    "BM315",
    ERROR,
    "The home folder of the user on the board does not exist.",
    "make it on the board as root, and give it to that user; or log in as another user",
)
CLOCK_LIMIT = Check(
    "BM316",
    WARNING,
    "A clock is held below what the hardware can do.",
    "look at scaling_max_freq there: a limit that somebody set, or the firmware's",
)
CHECKS = (
    *(USERLAND, FPU, MUSL, OLD_LIBC, NO_ROOM, UNKNOWN_LIBC, UNKNOWN_CPU, THROTTLED, BUSY),
    *(GOVERNOR, HOT, FLOATS, NOEXEC, READ_ONLY, WRONG_TIME, NO_HOME, CLOCK_LIMIT),
)
