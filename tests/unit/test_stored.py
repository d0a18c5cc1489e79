"""What the cells have in the store: bundles, audits, and the reason where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildmatrix.audit.document import Audit
from buildmatrix.boards import measuring
from buildmatrix.errors import AuditError, InputError
from buildmatrix.nouns import ElfFacts, Finding, Severity, Stage
from buildmatrix.pipeline.auditing import audit_cell
from buildmatrix.pipeline.stored import bundle_by_digest, measured, shippable, stored
from tests.unit import shelves

if TYPE_CHECKING:
    from pathlib import Path

BAD = Finding("BM120", Severity.ERROR, "lib/libblas.so", "0 multiplies", "switch NEON on")


@pytest.mark.slow
@settings(max_examples=30)  # a record has some thirty fields: each example is long
@given(
    st.builds(
        Audit,
        st.lists(st.from_type(Finding)).map(tuple),
        st.lists(st.from_type(ElfFacts)).map(tuple),
    )
)
def test_an_audit_comes_back_from_json_as_it_was(audit: Audit) -> None:
    audit = replace(audit, facts=tuple(replace(one, symbols=None) for one in audit.facts))
    again = Audit.from_json(json.loads(json.dumps(audit.to_json())))
    assert again == audit
    assert hash(again) == hash(audit), "no list is left where a tuple was"


def test_nothing_is_stored_at_first_and_the_reason_is_the_plans(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    cells = stored(shop)
    assert list(cells) == ["net-one", "net-two", "net-one-neon"]
    one = cells["net-one"]
    assert (one.bundle, one.audit, one.expected, one.built) == (None, None, None, False)
    assert one.reason == "is not built: the image of tc has to be made first"
    with pytest.raises(InputError, match="none of the selected cells is built: net-one, net-two"):
        shippable(cells.values())


def test_a_stored_cell_has_its_bundle_its_audit_and_its_models_answer(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    shelves.put(shop, Stage.MODEL, Stage.BUNDLE, Stage.AUDIT)
    one = stored(shop)["net-one"]
    assert one.built
    assert one.bundle is not None
    assert [record.path for record in one.bundle.files] == ["manifest.json", "bin/runner"]
    assert one.audit == Audit((), (shelves.RUNNER,))
    assert one.target.fpu == "neon"
    assert one.made_with["flags"] == ["-O2"]
    assert measuring.expected_output(measuring.lab(shop), "face-cnn") == (0.0, 0.0)
    assert shippable([one]) == (one,)
    assert bundle_by_digest(shop.store, "net-one", one.bundle.digest) == one.bundle
    assert bundle_by_digest(shop.store, "net-one", "f" * 64) is None


def test_what_was_measured_is_found_with_its_audit_though_something_else_is_built_now(
    tmp_path: Path,
) -> None:
    shop = shelves.workshop(tmp_path)
    shelves.put(shop, Stage.MODEL, Stage.BUNDLE, Stage.AUDIT, findings=[BAD])
    bundle, work = stored(shop)["net-one"].bundle, shop.project.graph.audit_of("net-one")
    assert bundle is not None
    shop.identities.clear()  # another compiler: every key is another one
    assert stored(shop)["net-one"].bundle is None
    audit = Audit((BAD,), (shelves.RUNNER,))
    assert measured(shop.store, "net-one", bundle.digest, work) == (bundle, audit)
    assert measured(shop.store, "net-one", bundle.digest, None) == (bundle, None)
    assert measured(shop.store, "net-one", "f" * 64, work) == (None, None)
    changed = replace(work, material={**work.material, "rules": "others"})
    assert measured(shop.store, "net-one", bundle.digest, changed) == (bundle, None)


def test_a_bundle_without_an_audit_is_not_built_yet(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    shelves.put(shop, Stage.MODEL, Stage.BUNDLE)
    one = stored(shop)["net-one"]
    assert one.bundle is not None
    assert (one.audit, one.reason) == (None, "is not built: never made here")


def test_a_finding_that_forbids_shipping_is_named(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    shelves.put(shop, Stage.MODEL, Stage.BUNDLE, Stage.AUDIT, findings=[BAD])
    with pytest.raises(AuditError, match="net-one has 1 findings that forbid") as caught:
        shippable(stored(shop).values())
    assert "BM120 lib/libblas.so: 0 multiplies" in str(caught.value)
    document = audit_cell(shop)
    assert (document["cell"], document["findings"][0]["code"]) == ("net-one", "BM120")
