"""A part of scripts/audit-proof on every run: this machine's cross compilers and their loaders.

The loader and the libraries are those that come with the compilers (libc6-armhf-cross and its
like, the same files as on a board), so nothing is fetched; the processors are qemu-user's.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import elf
from buildmatrix.nouns import version_tuple
from tests.proof import boards, cases, trial
from tests.proof.case import AARCH64, ARM, Case
from tests.proof.compilers import TRIPLES, Workshop
from tests.proof.userlands import Userland

if TYPE_CHECKING:
    from tests.proof.boards import Board

QEMU = {ARM: "qemu-arm-static", AARCH64: "qemu-aarch64-static"}
# Of each kind of case one or two; `scripts/audit-proof` tries them all.
PART = (
    *("arm-base-gcc12", "arm-neon-gcc12", "aarch64-base-gcc12", "aarch64-crc32-gcc12"),
    *("arm-link-static-plain", "aarch64-link-static-plain", "aarch64-outline-gcc12"),
    *("aarch64-in-thread-gcc12", "arm-in-atexit-gcc12", "aarch64-in-library-called"),
    *("arm-in-dead-gcc12", "arm-in-library-hidden", "aarch64-in-library-asks"),
    *("arm-in-dlopen-called", "arm-lie-assembly-stripped"),
    *("arm-path-runpath-not-inherited", "arm-path-rpath-inherited", "arm-path-loaded-already"),
    *("aarch64-path-soname-not-file", "aarch64-path-soname-link", "arm-path-rpath-but-runpath"),
    *("arm-path-wrong-machine-first", "aarch64-path-none", "arm-path-missing"),
    *("arm-symbol-undefined-now-gcc12", "aarch64-symbol-undefined-weak-gcc12"),
    *("arm-symbol-version-gone-gcc12", "aarch64-symbol-version-there-gcc12"),
    *("arm-symbol-sibling-offers-gcc12", "aarch64-symbol-openmp-gcc12"),
    *("arm-whole-interpreter-elsewhere-gcc12", "aarch64-whole-interpreter-elsewhere-gcc12"),
    *("arm-whole-assembly-only-gcc12", "aarch64-whole-stack-absent-gcc12"),
    *("aarch64-odd-marked-bti-gcc12", "aarch64-odd-entry-zero-gcc12", "arm-odd-entry-data-gcc12"),
    *("arm-odd-tls-ordinary-gcc12", "aarch64-odd-opened-lacks-gcc12"),
    *("arm-odd-opened-needs-gcc12", "aarch64-odd-opened-needs-rpath-gcc12"),
    *("arm-odd-opened-elsewhere-gcc12", "aarch64-odd-opened-by-static-gcc12"),
    *("aarch64-odd-folder-atomics-gcc12", "arm-odd-folder-first-gcc12"),
    *("aarch64-odd-folder-tls-gcc12", "arm-odd-place-link-loop-gcc12"),
    *("arm-odd-weak-called-gcc12", "aarch64-odd-weak-library-gcc12", "arm-odd-weak-idle-gcc12"),
    *("aarch64-odd-list-init-array-zero-gcc12", "arm-odd-list-fini-array-ones-gcc12"),
    *("arm-odd-list-init-taken-out-gcc12", "aarch64-odd-list-init-taken-out-gcc12"),
    *("arm-odd-taken-out-relocations-gcc12", "aarch64-odd-taken-out-versions-gcc12"),
    *("arm-odd-static-assembly-gcc12", "aarch64-odd-static-room-gcc12"),
    *("aarch64-odd-tls-aligned-64-gcc12", "arm-odd-tls-two-1000-1000-gcc12"),
    *("arm-odd-mapped-not-executable-gcc12", "aarch64-odd-mapped-shifted-gcc12"),
)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> list[Board]:
    """This machine's loaders of both ARMs, under each processor that its QEMU has."""
    folder = tmp_path_factory.mktemp("roots")
    lands = [_userland(folder, machine) for machine in (ARM, AARCH64)]
    return [_as_it_is(board, _versions(land)) for land in lands for board in boards.boards([land])]


def _userland(folder: Path, machine: str) -> Userland:
    triple = TRIPLES[machine]
    root = folder / machine
    libraries = root / "usr/lib" / triple
    libraries.mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    for path in sorted(Path(f"/usr/{triple}/lib").glob("*.so*")):
        shutil.copy(path, libraries / path.name)
    for loader in libraries.glob("ld-linux-*"):
        shutil.copy(loader, root / "usr/lib" / loader.name)
    qemu = shutil.which(QEMU[machine])
    assert qemu, f"scripts/test installs {QEMU[machine]}"
    shutil.copy(qemu, root / "qemu")
    return Userland("bookworm", machine, root)


def _versions(land: Userland) -> dict[str, tuple[str, ...]]:
    """What the libraries define that a baseline speaks of."""
    wanted = {"libc.so.6", *boards.boards([land])[0].baseline.libraries}
    paths = [path for path in land.libraries if path.name in wanted]
    return {path.name: elf.read(path, path.name).linking.versions_defined for path in paths}


def _as_it_is(board: Board, versions: dict[str, tuple[str, ...]]) -> Board:
    """The board with the versions that its own files define, whatever suite this machine is."""
    glibc = [v.removeprefix("GLIBC_") for v in versions["libc.so.6"] if v[6:7].isdigit()]
    floor = max(glibc, key=version_tuple)
    known = board.baseline
    target = replace(known.target, libc_floor=floor)
    libraries = {name: versions[name] for name in known.libraries if name in versions}
    return replace(board, baseline=replace(known, target=target, libraries=libraries))


def _cases() -> list[Case]:
    rows = {case.name: case for case in cases.every()}
    return [replace(rows[name], compiler="here") for name in PART]


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.name)
def test_what_the_audit_passes_starts_and_what_it_refuses_does_not(
    case: Case, there: list[Board], tmp_path: Path
) -> None:
    tree = Workshop(tmp_path).build(case)
    on = trial.boards_of(case, there, whole=False)
    trials = list(trial.run(case, tree, on, tmp_path / "outcomes.json"))
    assert trials
    parted = [
        f"{one.board}: {one.outcome.kind.value} {one.outcome.words}; audit: {one.verdict.words()}"
        for one in trials
        if not one.agreement.agrees
    ]
    assert parted == []
