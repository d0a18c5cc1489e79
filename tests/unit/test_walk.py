"""scripts/walk, without jedi: what it begins with is there, and it counts as it says."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "walk"
TREE = SCRIPT.parents[1]
WALK = runpy.run_path(str(SCRIPT))


def test_what_a_walk_begins_with_is_in_this_tree() -> None:
    for starts, *_ in WALK["WALKS"].values():
        for name in starts:
            module = ast.parse(WALK["file_of"](TREE, name).read_text(encoding="utf-8"))
            assert WALK["defined"](module, name.rpartition(".")[2])


def test_calls_come_in_the_order_in_which_they_are_made() -> None:
    body = ast.parse(
        "first(inner(), key=handed)\n"
        "[made() for x in drawn() if asked()]\n"
        "def defined(): later()\n"
        "last(name.given)\n"
    ).body
    called = [ast.unparse(one) for one in WALK["calls"](body)]
    assert called == ["inner", "first", "handed", "drawn", "asked", "made", "last", "name.given"]


def test_a_package_is_one_module_but_for_the_rooms_that_make_and_do_things() -> None:
    way = ("pipeline.stored", "pipeline.planning", "elf.code", "elf", "elf.facts", "elf.code")
    order = [(module, "f") for module in way]
    rooms = WALK["stays"](order, files=False)
    assert [name for name, _ in rooms] == ["pipeline.stored", "pipeline.planning", "elf"]
    assert rooms[-1][1] == ["f"] * 4
    assert len(WALK["stays"](order, files=True)) == 6
