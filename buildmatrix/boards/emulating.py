"""Cells for boards without an operating system: run in QEMU, held against NumPy bit for bit.

Nothing is kept of it: what is shown can be had again, to the instruction.
"""

from __future__ import annotations

import json
import time
from itertools import zip_longest
from typing import TYPE_CHECKING

from buildmatrix import scratch
from buildmatrix.boards.measuring import labels
from buildmatrix.errors import InputError, UsageError, did_you_mean
from buildmatrix.export.cmsis_nn import ANSWER_FILE, ANSWERS_FILE, FACTS_FILE
from buildmatrix.network import ImportedNetwork, NetworkSpec, origin
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.protocols import Finished, Started
from buildmatrix.virtual import firmware

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from buildmatrix.documents.boards import FirmwareRow
    from buildmatrix.pipeline.stored import Stored
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.workload import Workload


def emulated(workshop: Workshop, kind: str) -> list[FirmwareRow]:
    """A row for each selected cell that is built, in the order of the matrix.

    Raises InputError when no cell is for such a board or none is built, DeviceError when a program
    does not end well.
    """
    if kind not in firmware.KINDS:
        near = did_you_mean(kind, [*firmware.KINDS])
        there = ", ".join(firmware.KINDS)
        raise UsageError(f"no board without a system is called '{kind}'{near}; there are: {there}")
    actions = plan_all(workshop)
    keys = {action.id: action.key for action in actions}
    cells = [one for one in stored(workshop, actions=actions).values() if one.target.bare]
    if not cells:
        raise InputError(
            "no selected cell is for a board without an operating system",
            hint="its toolchain is `arm-none-eabi`; `inv recipes --copy cmsis-nn` shows one",
        )
    return [_row(workshop, one, keys, kind) for one in shippable(cells)]


def _row(workshop: Workshop, one: Stored, keys: Mapping[str, str], kind: str) -> FirmwareRow:
    subject, began = f"{one.cell.id} on {kind}", time.monotonic()
    workshop.reporter.emit(Started(subject, "in QEMU"))
    work = workshop.project.graph.bundle_of(one.cell.id)
    assert work is not None
    with scratch.folder(workshop.store.root / "tmp", "firmware-") as folder:
        workshop.store.checkout(keys[work.id], folder / "bundle")
        model = folder / "bundle" / "model"
        ran = firmware.run(folder / "bundle" / "bin" / "runner", model, kind)
        net = workshop.project.networks[one.cell.model]
        row = judged(one, net, kind, ran, model)
    seconds = time.monotonic() - began
    told = f"{row['instructions']:,} instructions"
    workshop.reporter.emit(Finished(subject, "done", seconds, told))
    return row


def judged(one: Stored, net: Workload, kind: str, ran: firmware.Ran, model: Path) -> FirmwareRow:
    """The row of a program that ran, held against what its model's folder says is right."""
    facts = json.loads((model / FACTS_FILE).read_text())
    size = (model / ANSWER_FILE).stat().st_size
    answers = parted(ran.answers, size)
    wanted = parted(_all_of(model, ANSWER_FILE, ANSWERS_FILE), size)
    shown = labels(net)
    return {
        "cell": one.cell.id,
        "model": one.cell.model,
        "board": kind,
        "emulated": firmware.version(),
        "bundle": one.bundle.digest if one.bundle else "",
        "instructions": ran.instructions[0],
        "answers": len(wanted),
        "different": different(answers, wanted),
        "pictures": len(shown),
        "right": right(answers[1:], shown),
        "right_in_floats": _right_in_floats(net) if shown else 0,
        "buffers": facts["buffers"],
        "weights": facts["weights"] + facts["biases"],
    }


def _all_of(folder: Path, *names: str) -> bytes:
    return b"".join(path.read_bytes() for name in names if (path := folder / name).is_file())


def parted(content: bytes, size: int) -> list[bytes]:
    """Answers of `size` bytes that lie one after the other.

    >>> parted(b"abcde", 2)
    [b'ab', b'cd', b'e']
    """
    return [content[at : at + size] for at in range(0, len(content), size)]


def different(answers: Sequence[bytes], wanted: Sequence[bytes]) -> int:
    """How many are not what is wanted in their place, missing ones and ones too many with them.

    >>> different([b"ab", b"cd"], [b"ab", b"ce", b"ef"])
    2
    """
    return sum(a != b for a, b in zip_longest(answers, wanted))


def right(answers: Sequence[bytes], labels: Sequence[int]) -> int:
    """How many have their largest number, of 8 bits with a sign, where the label says; the first
    of equal ones counts.

    >>> right([bytes([255, 1]), bytes([3, 3])], [1, 1])
    1
    """
    signed = [[byte - 256 if byte > 127 else byte for byte in one] for one in answers]
    pairs = zip(signed, labels, strict=False)
    return sum(one.index(max(one)) == label for one, label in pairs)


def _right_in_floats(net: Workload) -> int:
    """Of the same pictures, by our reference."""
    from buildmatrix import reference
    from buildmatrix.export import prepared
    from buildmatrix.imported import held_out

    assert isinstance(net, NetworkSpec)
    trained = origin(net)
    assert isinstance(trained, ImportedNetwork)
    parameters, _, _ = prepared(net)
    pictures, right = held_out(trained)
    found = (int(reference.forward(net, parameters, one).argmax()) for one in pictures)
    return sum(one == label for one, label in zip(found, right, strict=True))
