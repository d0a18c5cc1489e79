"""What a tree is judged against, always with a name: a board kind, a toolchain, or a board.

kinds      the kinds of Raspberry Pi and of Raspberry Pi OS, from boards.toml and systems.toml
__init__   the value, and how it is made of a toolchain's target or of what a board said
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from buildmatrix.isa.features import features_of
from buildmatrix.nouns import Target, version_tuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.nouns import DeviceInfo

Origin = Literal["board kind", "toolchain", "board", "default"]

# What /proc/cpuinfo lists for a 32-bit program on every ARMv8 core that runs such programs.
ARMV8_IN_32_BIT_STATE = frozenset(
    [
        "half",
        "thumb",
        "fastmult",
        "vfp",
        "edsp",
        "neon",
        "vfpv3",
        "tls",
        "vfpv4",
        "idiva",
        "idivt",
        "vfpd32",
        "lpae",
    ]
)
STDCXX = "libstdc++.so.6"
# Why a limit of a baseline is off, and how it is switched on.
NO_GLIBC = "no glibc floor: name a board with --target or --host"
NO_LIBRARIES = "no versions of libstdc++, libgcc_s, libgomp and the like: {way}"
NO_PAGE_SIZE = "no page size: {way}"
NO_FEATURES = "no list of CPU features: {way}"
NAME_A_BOARD = "name a board with --target or --host"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The least that a file may count on where it is to run."""

    name: str  # pi4-64@bookworm, a toolchain, a board
    origin: Origin
    summary: str  # for people: what the name means, and why it was taken
    target: Target  # with libc_floor; empty: no floor
    cpu: str = ""  # Cortex-A72 (0xd08)
    features: frozenset[str] = frozenset()  # as /proc/cpuinfo lists them; empty: not known
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # see AuditPolicy
    provided: tuple[str, ...] = ()  # sonames that are there beside libc's
    files: tuple[str, ...] = ()  # what those are links to
    page_size: int = 0  # bytes; 0: not known
    memory: int = 0  # bytes, at most; 0: not known
    seen: str = ""  # when a board was last asked: ISO 8601, UTC

    @property
    def libstdcxx(self) -> str:
        """The highest GLIBCXX version that the board's own libstdc++ defines, or nothing."""
        versions = self.libraries.get(STDCXX, ())
        known = [v.removeprefix("GLIBCXX_") for v in versions if v.startswith("GLIBCXX_")]
        return max(known, key=version_tuple, default="")

    @property
    def limits_off(self) -> tuple[str, ...]:
        """The limits that nothing is known of, each with the way to have it."""
        way = f"{self.name} does not say" if self.origin == "board" else NAME_A_BOARD
        rows = (
            (self.target.libc_floor, NO_GLIBC),
            (self.libraries, NO_LIBRARIES.format(way=way)),
            (self.page_size, NO_PAGE_SIZE.format(way=way)),
            (self.features, NO_FEATURES.format(way=way)),
        )
        return tuple(words for known, words in rows if not known)

    def document(self) -> dict[str, object]:
        """What the audit's document says of it, under `target`."""
        return {
            "name": self.name,
            "origin": self.origin,
            "summary": self.summary,
            "machine": self.target.machine,
            "march": self.target.march,
            "fpu": self.target.fpu,
            "float_abi": self.target.float_abi,
            "cpu": self.cpu,
            "cpu_features": sorted(features_of(self.target) | self.features),
            "glibc": self.target.libc_floor or None,
            "libstdcxx": self.libstdcxx or None,
            "libraries": {name: list(versions) for name, versions in self.libraries.items()},
            "page_size": self.page_size or None,
            "memory": self.memory or None,
            "limits_off": list(self.limits_off),
            "seen": self.seen or None,
        }


def of_toolchain(
    name: str, target: Target, system: Baseline | None, provided: tuple[str, ...]
) -> Baseline:
    """Any board that a toolchain is for: its target, and the libraries of its suite if known;
    else `provided` are those that are there in some version."""
    return Baseline(
        name=name,
        origin="toolchain",
        summary=f"any board that toolchain {name} builds for",
        target=target,
        libraries=system.libraries if system else {},
        provided=system.provided if system else provided,
        files=system.files if system else (),
    )


def of_board(info: DeviceInfo, kind: Baseline | None, *, seen: str, cached: bool) -> Baseline:
    """A board by what it said of itself. `kind` says GCC's words for a CPU like its, if it is ARM.

    `seen` is when it was asked (ISO 8601, UTC), `cached` that it could not be asked now.
    """
    model = info.model or "a board that does not say its model"
    when = f"; off now, as last seen {seen}" if cached else ""
    target = replace(
        kind.target if kind else Target("", "", "", "", "hard", ""),
        machine=info.elf_machine,
        float_abi=info.float_abi or "hard",
        libc_floor=info.libc if info.libc[:1].isdigit() else "",
    )
    features = _for_programs(info)
    return Baseline(
        name=info.name,
        origin="board",
        summary=f"{model}, {info.kernel}{when}",
        target=with_features(target, features) if features else target,
        cpu=" ".join(info.cpu_parts),
        features=features,
        libraries=info.libraries,
        provided=tuple(info.libraries),
        page_size=info.page_size or 0,
        memory=info.memory_kib * 1024,
        seen=seen,
    )


def with_features(target: Target, listed: frozenset[str]) -> Target:
    """The target with all that /proc/cpuinfo lists there beside what march and fpu say."""
    written = features_of(replace(target, cpu_features=None))
    return replace(target, cpu_features=tuple(sorted(written | listed)))


def _for_programs(info: DeviceInfo) -> frozenset[str]:
    """The board's CPU features in the words of its programs' width.

    A 64-bit kernel may show 32-bit programs its own list (fp asimd), see setarch(8), linux32.
    """
    listed = info.features
    if info.elf_machine == "EM_ARM" and "asimd" in listed:
        return listed | ARMV8_IN_32_BIT_STATE
    return listed


def by_majority(machines: Sequence[str]) -> tuple[str, str]:
    """The ARM machine that most files are for, and the words that say so; 32-bit in a draw."""
    long, short = machines.count("EM_AARCH64"), machines.count("EM_ARM")
    machine = "EM_AARCH64" if long > short else "EM_ARM"
    most = max(long, short)
    if not most:
        return machine, "no file is for ARM"
    if most == len(machines):
        return machine, "as the file is" if most == 1 else "as all files are"
    return machine, f"as {most} of {len(machines)} files are"
