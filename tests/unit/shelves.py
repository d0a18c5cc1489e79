"""A workshop whose store holds what its cells would have made; nothing is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.audit.document import Audit
from buildmatrix.nouns import ElfFacts, Stage
from buildmatrix.pipeline import project
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.pipeline.workshop import Workshop
from buildmatrix.plan import material_of
from buildmatrix.toolchain import Identity
from tests.fakes import RecordingReporter
from tests.unit import projects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.nouns import Finding

MODEL = Path(__file__).parents[2] / "models" / "face-cnn" / "model.yaml"
RUNNER = ElfFacts(
    file="bin/runner",
    machine="EM_ARM",
    elf_type="ET_EXEC",
    eabi=5,
    float_abi="hard",
    cpu_arch="v7",
    fp_arch="VFPv3",
    simd="NEONv1",
    vfp_args=True,
    soname="",
    needed=("libc.so.6", "libm.so.6"),
    rpath=("$ORIGIN/../lib",),
    glibc_max="2.34",
    glibcxx_max="",
    executable_stack=False,
    neon_instructions=70,
    machine_switches=("-march=armv7-a",),
    blas=("sgemm_",),
)


def workshop(root: Path) -> Workshop:
    """The small project of `projects` on disk, with a state folder in which nothing is made."""
    projects.write(root)
    (root / "matrix.yaml").write_text(projects.MATRIX)
    model = root / "models" / "face-cnn"
    model.mkdir(parents=True)
    (model / "model.yaml").write_text(MODEL.read_text())
    return Workshop(
        project=project.load(root / "matrix.yaml"),
        state=root / ".buildmatrix",
        reporter=RecordingReporter(),
        mirror=lambda: "",
        index=lambda: "",
    )


def put(shop: Workshop, *stages: Stage, findings: Sequence[Finding] = ()) -> None:
    """Store what the works of these stages would have made, under the keys that the plan has."""
    for toolchain in shop.project.toolchains.values():
        shop.identities[toolchain.name] = Identity(
            toolchain.name, toolchain.definition_digest, ("gcc=12",), "sha256:1"
        )
    keys = {action.id: action.key for action in plan_all(shop)}
    for work in shop.project.graph:
        if work.stage in stages and keys[work.id]:
            with shop.store.workspace(keys[work.id]) as tree:
                for path, content in _files(work.stage, work.cell, findings).items():
                    (tree / path).parent.mkdir(exist_ok=True)
                    (tree / path).write_bytes(content)
                material = material_of(work, keys)
                shop.store.add(keys[work.id], tree, material=material, provenance={})


def _files(stage: Stage, cell: str, findings: Sequence[Finding]) -> dict[str, bytes]:
    match stage:
        case Stage.AUDIT:
            document = Audit(tuple(findings), (RUNNER,)).to_json()
            return {"audit.json": json.dumps(document).encode()}
        case Stage.BUNDLE:
            return {
                "manifest.json": json.dumps({"cell": cell}).encode(),
                "bin/runner": b"#!/bin/sh",
            }
        case Stage.MODEL:
            return {"expected.f64": bytes(16)}
        case _:
            return {"made": stage.encode()}
