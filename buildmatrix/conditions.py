"""The conditions a figure was measured under: which figures may be held against each other.

Some decide the result: two figures under different ones are not alike, and get no verdict. Others
may explain a difference, so they are told beside one. All are read from a stored measurement, also
from one of an older buildmatrix; what it did not keep is unknown, and unknown is alike with
unknown only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.nouns import Measurement

WORD_SIZES = {"aarch64": 64, "arm64": 64, "x86_64": 64}  # of `uname -m`; armv6l to armv8l are 32
SERIES = re.compile(r"\d+\.\d+")  # of a kernel's release: what comes after is its patches

# What decides a result, in the order in which differences are told: (base, new) in words.
DECISIVE: Mapping[str, str] = {
    "emulated": "{} against {}",
    "device": "board {} against {}",
    "board": "a {} against a {}",
    "cpu_parts": "processors {} against {}",
    "cores": "{} cores against {}",
    "model": "model {} against {}",
    "model_version": "version {} of the model against {}",
    "batch": "batch {} against {}",
    "threads": "{} threads against {}",
    "pinned": "on cores {} against {}",
    "passes": "{} passes against {}",
    "warmup": "{} passes to warm up against {}",
    "settle": "cold passes {} against {}",
    "number_format": "computed in {} against {}",
    "kernel_bits": "a kernel of {} bits against {}",
    "kernel": "kernel {} against {}",
    "userland": "userland {} against {}",
    "clock_limit_khz": "a clock limit of {} kHz against {}",
    "governor": "governor {} against {}",
    "harness": "version {} of the measuring harness against {}",
}
# What may matter.
REMARKABLE: Mapping[str, str] = {
    "emulator": "emulated: {} against {}",
    "kernel_release": "kernel release {} against {}",
    "libc": "libc {} against {}",
    "toolchain": "toolchain {} against {}",
    "tool": "measured by buildmatrix {} against {}",
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that a figure was measured under. None: not known. What decides comes first."""

    emulated: bool
    device: str  # what people call the board
    model: str
    batch: int
    threads: int
    passes: int
    board: str | None = None  # what the board calls itself: Raspberry Pi 3 Model B Rev 1.2
    cpu_parts: str | None = None
    cores: int | None = None
    model_version: str | None = None  # of layers, weights and input
    pinned: str | None = None  # the cores a run was bound to
    warmup: int | None = None
    settle: str = "counted"  # cold passes after those to warm up; or "left out"
    number_format: str | None = None  # None as well where the runner gave no answer
    kernel_bits: int | None = None
    kernel: str | None = None  # 6.1
    userland: str | None = None  # EM_ARM
    clock_limit_khz: int | None = None
    governor: str | None = None
    harness: int | None = None
    emulator: str | None = None
    kernel_release: str | None = None  # 6.1.21-v8+
    libc: str | None = None
    toolchain: str | None = None
    tool: str | None = None


def conditions(block: Measurement) -> Conditions:
    """What a stored block was measured under."""
    environment = block.environment
    device, before = mapping(environment.get("device")), mapping(environment.get("before"))
    facts = mapping(environment.get("facts"))
    release, machine = _text(device.get("kernel")), _text(device.get("machine"))
    series = SERIES.match(release or "")
    return Conditions(
        emulated=block.emulated,
        device=block.device,
        model=block.model,
        batch=block.batch,
        threads=block.threads,
        passes=block.passes,
        board=_text(device.get("model")),
        cpu_parts=_text(device.get("cpu_parts")),
        cores=_number(device.get("cores")),
        model_version=_text(environment.get("model_version")),
        pinned=_text(environment.get("cores")),
        warmup=_number(environment.get("warmup")),
        settle="left out" if environment.get("settle") else "counted",
        number_format=_text(environment.get("number_format")),
        kernel_bits=WORD_SIZES.get(machine, 32) if machine else None,
        kernel=series.group() if series else release,
        userland=_text(device.get("elf_machine")),
        clock_limit_khz=_number(before.get("max_khz")),
        governor=_text(before.get("governor")) or _text(device.get("governor")),
        harness=_number(environment.get("harness")),
        emulator=_text(device.get("emulated")),
        kernel_release=release,
        libc=_text(device.get("libc")),
        toolchain=_text(facts.get("toolchain")),
        tool=_text(environment.get("tool")),
    )


def differences(base: Conditions, new: Conditions) -> tuple[str, ...]:
    """Why two figures are not alike, in words: '20 passes against 2'. Empty: they are alike.

    A number format that only one side tells is no difference: a runner that failed tells none.
    """
    return tuple(
        _told(template, getattr(base, name), getattr(new, name))
        for name, template in DECISIVE.items()
        if getattr(base, name) != getattr(new, name)
        and not (name == "number_format" and None in (base.number_format, new.number_format))
    )


def remarks(base: Conditions, new: Conditions) -> tuple[str, ...]:
    """What else differed and may matter, in words."""
    return tuple(
        _told(template, getattr(base, name), getattr(new, name))
        for name, template in REMARKABLE.items()
        if getattr(base, name) != getattr(new, name)
    )


def of_table(found: Conditions) -> Conditions:
    """What the rows of one table share: not the batch, nor a format that the cell chose."""
    return replace(
        found,
        batch=0,
        number_format=None,
        emulator=None,
        kernel_release=None,
        libc=None,
        toolchain=None,
        tool=None,
    )


def _told(template: str, base: object, new: object) -> str:
    return template.format(_word(base), _word(new))


def _word(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "emulated" if value else "a board's"
    return str(value)


def mapping(value: object) -> Mapping[str, object]:
    """A part of what was kept of a board or a block; empty where it was not kept."""
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    """A word that was kept; several, as the parts of a processor, put together."""
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or None
    return str(value) if isinstance(value, str | int) and value != "" else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
