"""The closure of what a runner needs, and the folder that goes to the board."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import audit, bundle, elf
from buildmatrix.errors import AuditError, InputError
from buildmatrix.nouns import AuditPolicy, Bundle, ElfFacts, Target
from tests.elf_factory import VFPV3, make

if TYPE_CHECKING:
    from pathlib import Path

LIBC = ("libc.so.6", "libm.so.6")
PLAIN = ElfFacts(
    file="",
    machine="EM_ARM",
    elf_type="ET_DYN",
    eabi=5,
    float_abi="hard",
    cpu_arch="v7",
    fp_arch="VFPv3",
    simd="",
    vfp_args=True,
    soname="",
    needed=(),
    rpath=(),
    glibc_max="2.34",
    glibcxx_max="",
    executable_stack=False,
    neon_instructions=0,
)


def needing(file: str, *needed: str) -> ElfFacts:
    return replace(PLAIN, file=file, needed=needed)


AVAILABLE = {
    "libcaffe.so.1": needing("lib/libcaffe.so.1", "libopenblas.so.0", "libhdf5.so", *LIBC),
    "libopenblas.so.0": needing("lib/libopenblas.so.0", *LIBC),
    "libhdf5.so": needing("lib/libhdf5.so", "libz.so.1", "libcaffe.so.1"),  # a cycle
    "libz.so.1": needing("lib/libz.so.1", "libc.so.6"),
    "libunused.so": needing("lib/libunused.so", "libnowhere.so"),
}
RUNNER = needing("bin/runner", "libcaffe.so.1", *LIBC)


def test_the_closure_is_what_is_needed_and_not_provided() -> None:
    assert bundle.closure([RUNNER], AVAILABLE, provided=LIBC) == (
        *("libcaffe.so.1", "libhdf5.so", "libopenblas.so.0", "libz.so.1"),
    )


def test_a_runner_that_needs_only_libc_needs_no_bundle() -> None:
    assert bundle.closure([needing("bin/runner", *LIBC)], {}, provided=LIBC) == ()


def test_what_is_missing_is_named_with_who_needs_it() -> None:
    available = {name: f for name, f in AVAILABLE.items() if name != "libz.so.1"}
    with pytest.raises(AuditError) as caught:
        bundle.closure([RUNNER], available, provided=("libm.so.6",))
    assert caught.value.details.splitlines() == [
        "libc.so.6: needed by bin/runner, lib/libcaffe.so.1, lib/libopenblas.so.0",
        "libz.so.1: needed by lib/libhdf5.so",
    ]


NAMES = [f"lib{letter}.so" for letter in "abcdef"]


@given(st.lists(st.lists(st.sampled_from(NAMES), unique=True), min_size=6, max_size=6))
def test_the_closure_is_closed_and_holds_nothing_else(edges: list[list[str]]) -> None:
    available = {name: needing(name, *to) for name, to in zip(NAMES, edges, strict=True)}
    found = bundle.closure([available["liba.so"]], available)
    assert list(found) == sorted(set(found))
    assert {n for name in ("liba.so", *found) for n in available[name].needed} == set(found)


# -- the folder ---------------------------------------------------------------------------------


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A runner, a library behind the usual link, a model in two files."""
    built = tmp_path / "built"
    for folder in ("bin", "lib", "model/golden"):
        (built / folder).mkdir(parents=True)
    (built / "bin/runner").write_bytes(b"runner")
    (built / "lib/libx.so.1.2").write_bytes(b"library")
    (built / "lib/libx.so.1").symlink_to("libx.so.1.2")
    (built / "model/face.bin").write_bytes(b"weights")
    (built / "model/golden/output.bin").write_bytes(b"output")
    return built


def pack(inputs: Path, destination: Path, **changed: object) -> Bundle:
    arguments: dict[str, object] = {
        "cell": "caffe-openblas",
        "runner": inputs / "bin/runner",
        "libraries": {"libx.so.1": inputs / "lib/libx.so.1"},
        "model": inputs / "model",
        "material": {"toolchain": "armv7hf-bookworm"},
    }
    return bundle.assemble(destination, **(arguments | changed))  # type: ignore[arg-type]


def test_the_layout_holds_real_files_named_by_soname(inputs: Path, tmp_path: Path) -> None:
    made = pack(inputs, tmp_path / "out")
    paths = ["bin/runner", "lib/libx.so.1", "manifest.json", "model/face.bin"]
    assert [f.path for f in made.files] == [*paths, "model/golden/output.bin"]
    assert [f.path for f in made.files if f.executable] == ["bin/runner"]
    assert not any(p.is_symlink() for p in (tmp_path / "out").rglob("*"))
    assert (tmp_path / "out/lib/libx.so.1").read_bytes() == b"library"
    assert made.size == sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file())


def test_the_manifest_lists_every_other_file_and_its_hash_is_the_digest(
    inputs: Path, tmp_path: Path
) -> None:
    made = pack(inputs, tmp_path / "out")
    content = (tmp_path / "out/manifest.json").read_bytes()
    assert made.digest == hashlib.sha256(content).hexdigest()
    document = json.loads(content)
    assert (document["version"], document["cell"]) == (1, "caffe-openblas")
    assert document["material"] == {"toolchain": "armv7hf-bookworm"}
    assert document["files"][0] == {
        "path": "bin/runner",
        "sha256": hashlib.sha256(b"runner").hexdigest(),
        "size": 6,
        "executable": True,
    }
    assert len(document["files"]) == len(made.files) - 1


def test_the_same_inputs_give_the_same_digest(inputs: Path, tmp_path: Path) -> None:
    first = pack(inputs, tmp_path / "a")
    assert pack(inputs, tmp_path / "b") == first
    (inputs / "lib/libx.so.1.2").write_bytes(b"Library")
    assert pack(inputs, tmp_path / "c").digest != first.digest
    assert pack(inputs, tmp_path / "d", material={}).digest != first.digest


def test_a_bundle_is_read_back_as_it_was_made(inputs: Path, tmp_path: Path) -> None:
    made = pack(inputs, tmp_path / "out")
    assert bundle.load(tmp_path / "out") == made
    bundle.verify(tmp_path / "out", made)


@pytest.mark.parametrize(
    "soname", ["../libx.so", "/libx.so", "a/b.so", "", ".", "..", "-x", "lib x.so", "lib\n.so"]
)
def test_a_soname_that_leaves_the_folder_is_refused(
    inputs: Path, tmp_path: Path, soname: str
) -> None:
    with pytest.raises(InputError, match="is no soname that a bundle can hold"):
        pack(inputs, tmp_path / "out", libraries={soname: inputs / "lib/libx.so.1"})


def test_a_model_link_that_leads_out_is_refused(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"")
    (inputs / "model/link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="leads out of the model's folder"):
        pack(inputs, tmp_path / "out")


@pytest.mark.parametrize("target", ["nowhere", "loop", "golden"])
def test_a_model_link_to_no_file_is_refused(inputs: Path, tmp_path: Path, target: str) -> None:
    (inputs / "model/loop").symlink_to(target)
    with pytest.raises(InputError, match="no file to put at model/loop"):
        pack(inputs, tmp_path / "out")


def test_an_empty_model_is_refused(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="a model folder with no file"):
        pack(inputs, tmp_path / "out", model=tmp_path / "none")


def test_a_missing_runner_is_named(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file to put at bin/runner"):
        pack(inputs, tmp_path / "out", runner=inputs / "bin/none")


def test_a_folder_that_holds_something_is_not_filled(inputs: Path, tmp_path: Path) -> None:
    pack(inputs, tmp_path / "out")
    with pytest.raises(InputError, match="a bundle needs an empty folder"):
        pack(inputs, tmp_path / "out")


def test_verify_names_all_that_is_wrong(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = pack(inputs, out)
    (out / "bin/runner").chmod(0o644)
    (out / "lib/libx.so.1").write_bytes(b"Library")
    (out / "model/face.bin").unlink()
    (out / "model/golden/output.bin").unlink()
    (out / "model/golden/output.bin").symlink_to(inputs / "model/golden/output.bin")
    (out / "extra").write_bytes(b"")
    with pytest.raises(AuditError, match="caffe-openblas is not what was packed") as caught:
        bundle.verify(out, made)
    assert caught.value.details.splitlines() == [
        "bin/runner: changed",
        "extra: not in the manifest",
        "lib/libx.so.1: changed",
        "model/face.bin: missing",
        "model/golden/output.bin: a link where a file was",
    ]


def test_another_manifest_is_another_bundle(inputs: Path, tmp_path: Path) -> None:
    """Files and manifest exchanged together still do not match the digest asked for."""
    made = pack(inputs, tmp_path / "a")
    other = pack(inputs, tmp_path / "b", material={})
    with pytest.raises(AuditError, match=r"manifest\.json: changed"):
        bundle.verify(tmp_path / "b", made)
    with pytest.raises(AuditError, match="is not the one that gave the digest"):
        bundle.verify(tmp_path / "b", replace(other, digest=made.digest))


def manifest(*paths: object) -> str:
    rows = [{"path": p, "sha256": "", "size": 0, "executable": False} for p in paths]
    return json.dumps({"version": 1, "cell": "x", "files": rows})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no bundle here"),
        ("[]", "no bundle here"),
        ("{}", "no bundle here: 'version'"),
        ('{"version": 1, "cell": "x", "files": [1]}', "no bundle here"),
        ('{"version": 2}', "the bundle's format is 2, this program knows 1"),
        (manifest(1), "no bundle here"),
        *((manifest(path), "may not list") for path in ("/etc/passwd", "../x", "lib/../../x")),
        *((manifest(path), "may not list") for path in ("lib/..", ".", "", "manifest.json")),
        (manifest("a", "a"), "lists a file twice"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=said):
        bundle.load(tmp_path)


def test_a_path_with_dots_in_a_name_is_fine(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest("lib/libx..so", "..model", "a/.hidden"))
    paths = [f.path for f in bundle.load(tmp_path).files]
    assert paths == ["..model", "a/.hidden", "lib/libx..so", "manifest.json"]


def test_provenance_has_the_shape_of_slsa() -> None:
    made = bundle.provenance(
        {"cell": "caffe-openblas"},
        built_from={"openblas": "22", "caffe": "11"},
        builder="buildmatrix 0.1.0",
    )
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    assert made["predicate"] == {
        "buildDefinition": {
            "buildType": "urn:buildmatrix:bundle:v1",
            "externalParameters": {"cell": "caffe-openblas"},
            "resolvedDependencies": [
                {"name": "caffe", "digest": {"buildmatrixKey": "11"}},
                {"name": "openblas", "digest": {"buildmatrixKey": "22"}},
            ],
        },
        "runDetails": {"builder": {"id": "buildmatrix 0.1.0"}},
    }


def test_a_bundle_made_of_elf_files_passes_the_audit(tmp_path: Path) -> None:
    """Runner with DT_RPATH $ORIGIN/../lib, a library without one: closed, packed, judged."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/face.bin").write_bytes(b"weights")
    runner = make(
        elf_type="ET_EXEC",
        attributes=VFPV3,
        needed=["libx.so.1", "libc.so.6"],
        rpath="$ORIGIN/../lib",
        versions={"libc.so.6": ["GLIBC_2.34"]},
    )
    (tmp_path / "runner").write_bytes(runner)
    (tmp_path / "libx.so.1.2").write_bytes(
        make(attributes=VFPV3, soname="libx.so.1", needed=["libc.so.6"])
    )
    library = elf.read(tmp_path / "libx.so.1.2", "lib/libx.so.1.2")
    sonames = bundle.closure(
        [elf.read(tmp_path / "runner", "bin/runner")],
        {library.soname: library},
        provided=("libc.so.6",),
    )
    bundle.assemble(
        tmp_path / "out",
        cell="caffe-openblas",
        runner=tmp_path / "runner",
        libraries=dict.fromkeys(sonames, tmp_path / "libx.so.1.2"),
        model=tmp_path / "model",
        material={},
    )
    target = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "vfpv3", "hard", "2.36")
    facts = elf.read_tree(tmp_path / "out")
    assert [f.file for f in facts] == ["bin/runner", "lib/libx.so.1"]
    assert audit.judge(facts, AuditPolicy(target, provided=("libc.so.6",))) == ()
