"""The audit of a large tree: its cost, and who answers for whom in it."""

from __future__ import annotations

import cProfile
from dataclasses import replace

import pytest

from buildmatrix import audit
from buildmatrix.nouns import AuditPolicy, ElfFacts, ElfTree, FeatureUse, Import, Symbols
from tests.unit.test_audit_loader import LIBC, PI3, codes, library, linked, program


def arm(facts: ElfFacts) -> ElfFacts:
    return replace(facts, machine="EM_ARM", eabi=5, float_abi="hard")


def on_every_board(count: int) -> ElfTree:
    """Programs that share libraries, and as many objects of a library for a newer processor."""
    newer = FeatureUse("armv8", 1, unreached=True)
    shared = [
        library(f"lib/lib{n}.so", symbols=Symbols(exports={f"name{n}": ("",)})) for n in range(4)
    ]
    asked = Symbols(tuple(Import(f"name{n}") for n in range(4)))
    needed = [one.soname for one in shared]
    programs = [
        program(*needed, file=f"bin/{n}", symbols=asked, rpath=("$ORIGIN/../lib",))
        for n in range(count)
    ]
    objects = [
        library(f"lib/all.a({n}.o)", elf_type="ET_REL", cpu_arch="v8", features=(newer,))
        for n in range(count)
    ]
    lost = [library(f"lib/lost{n}.so", f"nowhere{n}.so") for n in range(count)]
    return ElfTree(tuple(map(arm, (*shared, *programs, *objects, *lost))))


@pytest.mark.slow
def test_the_work_grows_with_the_tree_and_not_with_its_square() -> None:
    """Counted in calls, which no load of the machine changes."""
    policy = AuditPolicy(PI3, provided=LIBC)

    def calls(tree: ElfTree) -> int:
        profile = cProfile.Profile()
        profile.runcall(audit.judge_tree, tree, policy)
        return sum(entry.callcount for entry in profile.getstats())

    audit.judge_tree(on_every_board(2), policy)  # what is read once for all
    assert calls(on_every_board(120)) < 2.3 * calls(on_every_board(60))


def test_who_asks_the_processor_and_opens_others_answers_for_what_it_may_open() -> None:
    """A program that loads the kernel at the start and asks nobody is not helped by another one."""
    kernel = library(
        "lib/libkernel.so",
        symbols=Symbols(exports={"value": ("",)}),
        features=(FeatureUse("sve", 1, exports=("value",)),),
    )
    asked = Symbols((Import("value"),))
    blind = program("libkernel.so", file="bin/blind", rpath=("$ORIGIN/../lib",), symbols=asked)
    player = linked(program(file="bin/player", asks_cpu=True), opens=("libcodec.so",))
    opener = linked(player, opens=("libkernel.so",))
    refused = "BM116 lib/libkernel.so"
    assert refused in codes(kernel, blind, player)
    assert refused not in codes(kernel, blind, opener)
    assert refused not in codes(kernel, player)
