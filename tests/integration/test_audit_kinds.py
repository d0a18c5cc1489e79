"""Every kind of file that the audit once judged wrongly, made by real tools, has its verdict.

scripts/audit-proof runs most of them under real loaders. Kinds that are no file (forms of output,
speed) have their tests elsewhere: NAMED says where.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix.pipeline.auditing import audit_path
from buildmatrix.pipeline.baselines import named
from tests.kinds.itself import ITSELF
from tests.kinds.loader import LOADER
from tests.kinds.processor import PROCESSOR
from tests.proof import cases

if TYPE_CHECKING:
    from tests.kinds.kind import Kind

REPOSITORY = Path(__file__).parents[2]
KINDS = (*PROCESSOR, *LOADER, *ITSELF)
UNIT = "tests/unit/{}.py"
# Kinds whose files need tools that this machine has not, which scripts/audit-proof fetches, and
# those that are no verdict: file, and the case or the test in it.
NAMED = {
    1: (("tests/proof/cases", "arm-link-lld-19-newer"),),
    15: (
        ("tests/proof/cases", "aarch64-whole-relr-lld-clang19"),
        ("tests/proof/cases", "aarch64-whole-relr-ld-gcc14"),
        (UNIT.format("test_audit_loader"), "test_packed_relocations_want_their_version"),
    ),
    22: ((UNIT.format("test_elf_odd"), "test_bitcode_in_a_static_library_is_said_beside"),),
    23: (("tests/proof/cases", "aarch64-whole-debug-zstd-gcc14"),),
    24: (
        (UNIT.format("test_elf_odd"), "test_a_text_is_no_elf_file"),
        (UNIT.format("test_audit_packages"), "test_a_debian_package_is_a_part_of_a_root_folder"),
        (UNIT.format("test_audit_packages"), "test_a_wheel_is_held_to_the_glibc_of_its_own_tag"),
    ),
    25: ((UNIT.format("test_elf_odd"), "test_a_file_name_that_is_not_utf_8_makes_valid_json"),),
    26: (("tests/bench/audit_speed.py", "CPU"),),
    27: ((UNIT.format("test_audit_view"), "test_mixed_trees_say_what_most_files_are_for"),),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.number}-{kind.name}")
def test_a_file_of_each_kind_is_judged_right(kind: Kind, tmp_path: Path) -> None:
    tree = kind.build(tmp_path)
    document = audit_path(tree, named(kind.board, tmp_path))
    codes: dict[str, set[str]] = {"error": set(), "warning": set(), "note": set()}
    for finding in document["findings"]:
        codes[finding["severity"]].add(finding["code"])
    assert codes["error"] == set(kind.errors.split()), document["findings"]
    assert codes["warning"] == set(kind.warnings.split()), document["findings"]
    assert any(kind.says in finding["message"] for finding in document["findings"]) or not kind.says
    _has(kind, document)


def test_every_kind_is_in_the_list_or_has_its_test_named() -> None:
    assert {kind.number for kind in KINDS} | NAMED.keys() == set(range(1, 28))
    proved = {case.name for case in cases.every()}
    for file, name in (row for rows in NAMED.values() for row in rows):
        place = REPOSITORY / file
        assert name in (proved if place.is_dir() else place.read_text()), (file, name)


def _has(kind: Kind, document: dict[str, Any]) -> None:
    """The facts of the one file; of its multiplies at least as many as are named, 0 where 0 is."""
    wanted = dict(kind.facts)
    if not wanted:
        return
    (facts,) = document["facts"]
    for element, number in wanted.pop("multiplies", {}).items():
        counted = facts["multiplies"][element]
        assert (counted >= number, counted == 0) == (True, number == 0), (element, counted)
    assert {name: facts[name] for name in wanted} == wanted
