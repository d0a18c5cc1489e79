"""Programs for boards without an operating system: where they may go, and what is made of what they
leave. A shell script stands for QEMU."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from buildmatrix import schema
from buildmatrix.audit import judge
from buildmatrix.boards.emulating import judged
from buildmatrix.cli.emulating import refuse_wrong
from buildmatrix.device import meant_for, parse, unfit
from buildmatrix.errors import BenchError, DeviceError, UsageError
from buildmatrix.export import export
from buildmatrix.export.cmsis_nn import ANSWER_FILE, ANSWERS_FILE
from buildmatrix.imported import described
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.nouns import AuditPolicy, Severity, Target
from buildmatrix.toolchain import load
from buildmatrix.virtual import board, firmware
from tests.documents import valid
from tests.fakes import RecordingReporter
from tests.unit import projects
from tests.unit.test_audit import GOOD
from tests.unit.test_device import VIRTUAL

ROOT = Path(__file__).parents[2]
CORTEX_M4 = load(ROOT / "toolchains" / "arm-none-eabi").target
NOTHING = 7  # ticks of a pass of nothing


def ticks(count: int) -> int:
    """Of the timer, for so many instructions."""
    return NOTHING + count * 64 // 40


def qemu(folder: Path, monkeypatch: pytest.MonkeyPatch, *, loop: int, code: int = 0) -> None:
    """A program of QEMU's name that leaves what one of ours would: an answer of two bytes."""
    figures = struct.pack("<4I", ticks(loop), NOTHING, ticks(5000), ticks(4321))
    (folder / "figures").write_bytes(figures)
    script = f"#!/bin/sh\ncp {folder}/figures ticks.u32\nprintf 'ab' >answers.q7\nexit {code}\n"
    (folder / firmware.QEMU).write_text(script)
    (folder / firmware.QEMU).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_ticks_are_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu(tmp_path, monkeypatch, loop=firmware.LOOP)
    (tmp_path / "model").mkdir()
    ran = firmware.run(tmp_path / "runner", tmp_path / "model", "mps2-an386")
    assert ran == firmware.Ran(b"ab", (5000, 4321))


def test_an_emulator_that_does_not_count_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu(tmp_path, monkeypatch, loop=firmware.LOOP * 2)
    with pytest.raises(DeviceError, match="a loop of 999,999 instructions counts as 1,999,998"):
        firmware.run(tmp_path / "runner", tmp_path, "mps2-an386")


def test_a_program_that_ends_badly_says_with_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu(tmp_path, monkeypatch, loop=firmware.LOOP, code=84)
    with pytest.raises(DeviceError) as fault:
        firmware.run(tmp_path / "runner", tmp_path, "mps2-an386")
    assert "status 84" in str(fault.value)
    assert "80 and N: the network's call N was refused" in str(fault.value)


def test_it_is_no_board_that_is_switched_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="answers over no SSH") as fault:
        board.up(tmp_path, name="m4", kind="mps2-an386", mirror="", reporter=RecordingReporter())
    assert fault.value.hint == "inv firmware --kind mps2-an386"


def test_a_program_s_answers_are_judged_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As though it had answered what it should but in the last byte, as the document has it."""
    monkeypatch.setattr(firmware, "version", lambda: "QEMU 7.2")
    digits = ROOT / "models" / "lenet-5-digits"
    net = described(schema.load(digits / "model.yaml", FileNetworkSpec), digits)
    export(net, format="cmsis-nn", destination=tmp_path)
    right = b"".join((tmp_path / name).read_bytes() for name in (ANSWER_FILE, ANSWERS_FILE))
    ran = firmware.Ran(right[:-1] + bytes([right[-1] ^ 1]), (2_891_920,))
    cell = SimpleNamespace(id="digits", model=net.name)
    one: Any = SimpleNamespace(cell=cell, bundle=None)
    row = judged(one, net, "mps2-an386", ran, tmp_path)
    document = valid("firmware", {"version": 1, "cells": [row]})
    (told,) = document["cells"]
    assert (told["answers"], told["different"], told["pictures"]) == (361, 1, 360)
    assert told["right"] > 350
    assert told["buffers"]["input"] == 784


def test_one_bit_that_differs_publishes_nothing() -> None:
    row: Any = {"cell": "digits", "answers": 361, "different": 1}
    with pytest.raises(BenchError, match="digits: 1 of 361 answers differ"):
        refuse_wrong([row])


def test_no_board_over_ssh_takes_such_a_bundle() -> None:
    """A Pi's own cells are its, and of such cells alone each is refused in words."""
    pi = parse("pi", VIRTUAL)
    arm = replace(CORTEX_M4, triple="arm-linux-gnueabihf")
    places = {"digits": CORTEX_M4.place, "caffe": arm.place}
    assert meant_for(pi, places) == ("caffe",)
    refusals = [f for f in unfit(pi, CORTEX_M4, needs_kib=1) if f.severity is Severity.ERROR]
    assert [f.code for f in refusals] == ["BM301"]
    assert "`inv firmware` runs" in refusals[0].message


@pytest.mark.parametrize(
    ("march", "word", "codes"),
    [
        ("armv7e-m", "v7E-M", []),
        ("armv7e-m", "v6-M", []),
        ("armv7-m", "v7E-M", ["BM110"]),
        ("armv7e-m", "v8", ["BM110"]),
        ("armv7-a", "v7E-M", ["BM110"]),
    ],
)
def test_the_audit_knows_the_architectures_of_microcontrollers(
    march: str, word: str, codes: list[str]
) -> None:
    facts = replace(GOOD, cpu_arch=word)
    policy = AuditPolicy(replace(CORTEX_M4, march=march))
    assert [f.code for f in judge([facts], policy) if f.code == "BM110"] == codes


def test_what_is_of_linux_alone_is_not_asked_of_a_program_without_it() -> None:
    """An executable stack, which the linker gives it for want of a note, and a libc too new."""
    facts = replace(GOOD, executable_stack=True, glibc_max="2.99")
    assert {f.code for f in judge([facts], AuditPolicy(replace(CORTEX_M4, float_abi="hard")))} == (
        {"BM111", "BM112"}  # GOOD is for NEON, a Cortex-M4 has none
    )


def test_a_runner_that_compiles_the_model_in_is_each_model_s_own(tmp_path: Path) -> None:
    root = projects.write(tmp_path)
    path = root / "recipes" / "net" / "recipe.yaml"
    text = path.read_text()
    matrix = projects.MATRIX + "bench: {model: [face-cnn, lenet-5]}\n"
    before = [w.id for w in projects.works(root, matrix) if w.id.startswith("runner:")]
    assert len(before) == 1
    path.write_text(
        text.replace("model_format: caffe", "model_format: caffe, compiles_model: true")
    )
    works = projects.works(root, matrix)
    runners = {w.id: w for w in works if w.id.startswith("runner:")}
    assert sorted(runners) == [f"{before[0]}.face-cnn", f"{before[0]}.lenet-5"]
    needed = {need for one in runners.values() for need in one.needs if need.startswith("model:")}
    assert needed == {"model:face-cnn.caffe", "model:lenet-5.caffe"}


def test_a_target_without_a_system_says_so() -> None:
    assert CORTEX_M4.bare
    assert not Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "", "hard", "2.36").bare
