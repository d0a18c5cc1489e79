"""A recipe with nothing to run: its audit rules hold for what it makes, and that is said."""

from __future__ import annotations

import tarfile
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import InputError
from buildmatrix.images import tag_of
from buildmatrix.nouns import Stage
from buildmatrix.pipeline import project
from buildmatrix.pipeline.auditing import audit_cell
from buildmatrix.pipeline.handing import hand_over
from buildmatrix.pipeline.perform import build_all
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.plan import material_of
from buildmatrix.records import write_record
from buildmatrix.toolchain import Identity
from tests.elf_factory import A32_VMLA_Q, NEON, VFPV3, make
from tests.fakes import LocalEngine
from tests.unit import shelves

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.pipeline.workshop import Workshop

MATRIX = """\
version: 1
toolchain: tc
include:
  - {name: library, stack: blas, blas: one, neon: true}
"""
LIBRARY = make(attributes=VFPV3, soname="libblas.so", needed=["libc.so.6", "libgomp.so.1"])
WITH_NEON = make(
    attributes=NEON, soname="libblas.so", needed=["libgomp.so.1"], text=[("$a", A32_VMLA_Q)]
)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A matrix whose one cell is a library alone, with its toolchain's image known."""
    empty = shelves.workshop(tmp_path)
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    made = replace(empty, project=project.load(tmp_path / "matrix.yaml"))
    toolchain = made.project.toolchains["tc"]
    identity = Identity(toolchain.name, toolchain.definition_digest, ("gcc=12",), "sha256:1")
    write_record(made.paths.toolchain(toolchain.name), asdict(identity))
    engine = LocalEngine()
    engine.tags[tag_of(toolchain)] = identity.image
    made.engine = engine  # an image that is there: no container is begun
    return made


def built(shop: Workshop, *files: tuple[str, bytes], links: dict[str, str] | None = None) -> None:
    """The build of the cell is in the store, with these files."""
    keys = {action.id: action.key for action in plan_all(shop)}
    (work,) = [work for work in shop.project.graph if work.stage is Stage.BUILD]
    with shop.store.workspace(keys[work.id]) as tree:
        for name, content in files:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        for name, target in (links or {}).items():
            (tree / name).symlink_to(target)
        material = material_of(work, keys)
        shop.store.add(keys[work.id], tree, material=material, provenance={})


def codes(shop: Workshop) -> list[tuple[str, str]]:
    return [(one["code"], one["file"]) for one in audit_cell(shop)["findings"]]


def test_a_library_that_breaks_its_own_rule_fails_the_build_with_the_finding(
    shop: Workshop,
) -> None:
    built(shop, ("lib/libblas.so", LIBRARY))
    *_, audited = build_all(shop)
    assert (audited.action.id, audited.state, audited.exit_code) == ("audit:library", "failed", 5)
    assert "lib/libblas.so: NEON must be here ('lib/libblas.so')" in audited.message
    assert ("BM120", "lib/libblas.so") in codes(shop)


@pytest.mark.slow
def test_a_library_that_keeps_its_rule_passes_and_what_it_needs_of_others_is_no_finding(
    shop: Workshop,
) -> None:
    built(shop, ("lib/libblas.so", WITH_NEON))
    *_, audited = build_all(shop)
    assert (audited.action.id, audited.state) == ("audit:library", "done")
    assert codes(shop) == []


def test_a_rule_that_names_the_soname_finds_the_file_behind_the_link(shop: Workshop) -> None:
    links = {"lib/libblas.so": "libblas-r0.3.so"}
    built(shop, ("lib/libblas-r0.3.so", LIBRARY), links=links)
    build_all(shop)
    assert ("BM120", "lib/libblas.so") in codes(shop)


def test_another_board_can_be_asked_for_a_library_too(shop: Workshop) -> None:
    from buildmatrix.pipeline.baselines import named

    built(shop, ("lib/libblas.so", LIBRARY))
    build_all(shop)
    document = audit_cell(shop, named("zero", shop.project.root / "toolchains"))
    assert document["cell"] == "library"
    assert document["target"]["name"].startswith("zero")
    assert "BM120" in [one["code"] for one in document["findings"]], "the recipe's rule still holds"


@pytest.mark.slow
def test_a_library_that_passed_is_handed_over_with_its_links(
    shop: Workshop, tmp_path: Path
) -> None:
    links = {"lib/libblas.so": "libblas-r0.3.so"}
    built(shop, ("lib/libblas-r0.3.so", WITH_NEON), links=links)
    build_all(shop)
    out = tmp_path / "out"
    assert hand_over(shop, out=out, tar=tmp_path / "blas.tar.xz")["kind"] == "products"
    assert (out / "lib" / "libblas-r0.3.so").read_bytes() == WITH_NEON
    assert str((out / "lib" / "libblas.so").readlink()) == "libblas-r0.3.so"
    with tarfile.open(tmp_path / "blas.tar.xz") as archive:
        assert archive.getmember("library/lib/libblas.so").linkname == "libblas-r0.3.so"


def test_before_it_is_built_that_is_what_is_said(shop: Workshop) -> None:
    with pytest.raises(InputError, match="library is not built: never made here") as caught:
        audit_cell(shop)
    assert "inv build --only library" in caught.value.hint


def test_a_library_is_not_shipped_and_does_not_stand_in_the_way_of_what_is(
    shop: Workshop,
) -> None:
    built(shop, ("lib/libblas.so", LIBRARY))
    build_all(shop)
    (one,) = stored(shop).values()
    assert one.reason == "makes no bundle: recipe 'blas' has neither a runner nor a bench"
    assert not one.built
    with pytest.raises(InputError, match=r"nothing .* is run on a board: library") as e:
        shippable([one])
    assert "inv get library --out DIR" in e.value.hint
