"""What a file's calls into libc give away: the width of its time_t, the libraries it opens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from buildmatrix.elf.tables import ALLOC, EXECINSTR, NOBITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.elf.tables import Image
    from buildmatrix.nouns import Import

# Functions of glibc with a time_t or a timespec in an argument, as a 32-bit program calls them
# when time_t has 32 bits. With 64 bits (-D_TIME_BITS=64) the same source calls __NAME64 or
# __NAME_time64 of GLIBC_2.34: both lists read from libc.so.6 2.36 for armhf.
TIME32_NAMES = """
adjtime clock_adjtime clock_getres clock_gettime clock_nanosleep clock_settime cnd_timedwait ctime
ctime_r fstat fstat64 fstatat fstatat64 futimens futimes futimesat getitimer getrusage gettimeofday
gmtime gmtime_r localtime localtime_r lstat lstat64 lutimes mktime mq_timedreceive mq_timedsend
mtx_timedlock nanosleep ppoll pselect pthread_clockjoin_np pthread_cond_clockwait
pthread_cond_timedwait pthread_mutex_clocklock pthread_mutex_timedlock pthread_rwlock_clockrdlock
pthread_rwlock_clockwrlock pthread_rwlock_timedrdlock pthread_rwlock_timedwrlock
pthread_timedjoin_np recvmmsg sched_rr_get_interval select sem_clockwait sem_timedwait semtimedop
setitimer settimeofday sigtimedwait stat stat64 thrd_sleep time timegm timer_gettime timer_settime
timerfd_gettime timerfd_settime timespec_get utime utimensat utimes wait3 wait4
__xstat __xstat64 __fxstat __fxstat64 __lxstat __lxstat64 __fxstatat __fxstatat64
"""
TIME32 = frozenset(TIME32_NAMES.split())
TIME64 = re.compile(r"__(\w+?)(64|64_time64|_time64|64_r)")
LIBRARY_NAME = re.compile(rb"\.so(?:\.[0-9]+)*\0")
PLAIN = re.compile(r"(?:[\w./+-]*/)?\w[\w.+-]*", re.ASCII)
LONGEST = 255  # of a file name
OPENERS = frozenset(("dlopen", "dlmopen"))
OWN_DLOPEN = b"invalid mode for dlopen()\0"  # glibc, elf/dl-open.c
OF_GLIBC = ("ld-linux", "libc.so.", "libgcc_s.so.", "libpthread.so.")  # what it opens by itself


def time64(image: Image, imports: Sequence[Import]) -> bool | None:
    """Whether time_t has 64 bits, on 32-bit ARM; None where no call tells, and elsewhere."""
    if image.machine != 40:
        return None
    names = {one.name for one in imports if one.version.startswith("GLIBC_") or not one.version}
    if any(_base(name) in TIME32 for name in names):
        return True
    return False if names & TIME32 else None


def _base(name: str) -> str:
    match = TIME64.fullmatch(name)
    return match[1] if match else ""


def opens(image: Image, imports: Sequence[Import]) -> tuple[str, ...]:
    """Names of libraries that stand in the data of a file that calls dlopen, sorted.

    Which of them it opens, and when, no table tells. A static program has glibc's dlopen in it
    whether it calls it or not, so what glibc itself opens does not count there.
    """
    if any(one.name in OPENERS for one in imports):
        return tuple(sorted({name for data in _constants(image) for name in _names(data)}))
    static = not imports and not image.asks_for_loader
    if static and any(OWN_DLOPEN in data for data in _constants(image)):
        names = {name for data in _constants(image) for name in _names(data)}
        return tuple(sorted(name for name in names if not name.startswith(OF_GLIBC)))
    return ()


def _constants(image: Image) -> Iterator[bytes]:
    for section in image.sections:
        mapped = section.type != NOBITS and section.flags & (ALLOC | EXECINSTR) == ALLOC
        if mapped and section.name.startswith((".rodata", ".data")):
            yield bytes(image.content(section))


def _names(data: bytes) -> list[str]:
    found = []
    for match in LIBRARY_NAME.finditer(data):
        start = data.rfind(b"\0", max(0, match.start() - LONGEST), match.start()) + 1
        text = data[start : match.end() - 1].decode("ascii", errors="replace")
        if start and PLAIN.fullmatch(text):
            found.append(text)
    return found
