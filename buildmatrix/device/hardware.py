"""Processors, clocks and temperatures: lines of the probe whose fields stand between bars."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from buildmatrix.nouns import ClockPolicy, Cluster, ThermalZone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SENSIBLE = range(-60, 200)  # °C; some zones answer 0 K, or a number that is no temperature


def policies(lines: Iterable[str]) -> tuple[ClockPolicy, ...]:
    """Every clock, by its first processor; lines 'policy4|4 5|now|min|max|hardware max|governor'.

    Before Linux 4.3 there is only cpu0's, which stands last and is left out where others are.

    >>> policies(["policy4|4 5|408000|408000|408000|1800000|ondemand|"])[0].cpus
    (4, 5)
    """
    found: dict[tuple[int, ...], ClockPolicy] = {}
    for line in lines:
        _, cpus, now, least, most, hardware, governor = _fields(line, 7)
        policy = ClockPolicy(
            _cpus(cpus), governor, _khz(now), _khz(least), _khz(most), _khz(hardware)
        )
        found.setdefault(policy.cpus, policy)
    return tuple(found[cpus] for cpus in sorted(found))


def clusters(lines: Iterable[str], cpuinfo: Sequence[tuple[str, str]] = ()) -> tuple[Cluster, ...]:
    """Processors by kind, strongest last; lines 'number|capacity|MIDR|hardware max'.

    A 32-bit kernel shows no MIDR: the part comes from /proc/cpuinfo then. Processors that are off
    count by what the kernel knows of them.
    """
    parts = _parts(cpuinfo)
    kinds: dict[tuple[str, int | None, int | None], list[int]] = {}
    for line in lines:
        number, capacity, midr, khz = _fields(line, 4)
        if not number.isdecimal():
            continue
        part = _part_of(midr) or parts.get(int(number), "")
        kinds.setdefault((part, _khz(capacity), _khz(khz)), []).append(int(number))
    rows = [Cluster(tuple(sorted(cpus)), *kind) for kind, cpus in kinds.items()]
    return tuple(sorted(rows, key=lambda c: (c.capacity or 0, c.max_khz or 0, c.cpus)))


def zones(lines: Iterable[str]) -> tuple[ThermalZone, ...]:
    """Temperatures; lines 'thermal_zone0|cpu-thermal|47236'.

    >>> zones(["thermal_zone0|cpu-thermal|47236|", "thermal_zone1|battery|-274000|"])
    (ThermalZone(kind='cpu-thermal', celsius=47.236),)
    """
    found = []
    for line in lines:
        name, kind, text = _fields(line, 3)
        if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) and int(text) // 1000 in SENSIBLE:
            found.append(ThermalZone(kind or name, int(text) / 1000))
    return tuple(found)


def cores_of(online: str) -> int:
    """How many processors a list of the kernel names; 0 for what is none.

    >>> cores_of("0-3"), cores_of("0,2-3"), cores_of(""), cores_of("0-99999999")
    (4, 3, 0, 0)
    """
    most = 8192  # CONFIG_NR_CPUS of any kernel
    form = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)
    spans = [form.fullmatch(word) for word in online.split(",")]
    counts = [int(s[2] or s[1]) - int(s[1]) + 1 if s else 0 for s in spans]
    return sum(counts) if all(0 < count <= most for count in counts) else 0


def _fields(line: str, count: int) -> list[str]:
    """Exactly so many, empty where the board is silent."""
    fields = [field.strip() for field in line.split("|")]
    return (fields + [""] * count)[:count]


def _parts(cpuinfo: Sequence[tuple[str, str]]) -> dict[int, str]:
    """The part of each processor that /proc/cpuinfo lists."""
    found: dict[int, str] = {}
    processor = 0
    for key, value in cpuinfo:
        if key == "processor" and value.isdecimal():
            processor = int(value)
        elif key == "CPU part":
            found[processor] = value
    return found


def _part_of(midr: str) -> str:
    """
    >>> _part_of("0x00000000410fd034"), _part_of("")
    ('0xd03', '')
    """
    if not re.fullmatch(r"0x[0-9a-f]{1,16}", midr):
        return ""
    return f"0x{int(midr, 16) >> 4 & 0xFFF:03x}"


def _cpus(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split() if word.isdecimal() and len(word) < 6)


def _khz(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,12}", text, re.ASCII) else None
