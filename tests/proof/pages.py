"""The audit's rule on page sizes against a kernel that has pages of 16 KiB.

Debian 13's arm64 kernel with such pages boots under QEMU with nothing but the loaders of Debian 11,
12 and 13 and some 60 programs and libraries, each linked for another page size. What starts there
must be what BM162 passes. The kernel (93 MB) and the loaders are fetched the first time.

    python -m tests.proof.pages [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from buildmatrix import audit, elf
from buildmatrix.baseline import kinds
from buildmatrix.nouns import AuditPolicy
from tests.proof.case import AARCH64
from tests.proof.userlands import SUITES, Archive, extract, unpack

HERE = Path(__file__).parent
PAGE = 16384
CC = ("aarch64-linux-gnu-gcc", "-O1")
ALONE = ("-nostdlib", "-ffreestanding", "-DALONE")
# With -DALONE without libc, whose start-up code would ask for the version it was linked with.
MAIN = """\
int answer(void);
extern int counter;
int data[3] = {1, 2, 3};
const char *const names[] = {"a", "b"};
static int sum(void) { return answer() + data[1] + counter + (names[1][0] == 'b') - 50; }
#ifdef ALONE
void _start(void) {
  register long status __asm__("x0") = sum();
  register long exit_group __asm__("x8") = 94;
  __asm__ volatile("svc 0" : : "r"(status), "r"(exit_group));
}
#else
int main(void) { return sum(); }
#endif
"""
LIBRARY = """\
__attribute__((used)) const char room[PAD * 4096 + 1] = {1};
int counter = 5;
const char *const words[] = {"x", "y"};
int answer(void) { return 41 + (words[0][0] == 'x'); }
"""
PADS = range(8)  # pages of 4 KiB that shift what follows


def build(folder: Path) -> None:
    """A folder for each case: `program`, and libt.so where it is not static."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "main.c").write_text(MAIN)
    (folder / "lib.c").write_text(LIBRARY)
    for page in (4096, 8192, PAGE, 65536):
        for program in (4096, PAGE, 65536):
            linked(folder, f"library-{page}-program-{program}", page, program)
        linked(folder, f"fixed-{page}", 65536, page, program_flags=("-no-pie",))
        static(folder, f"static-{page}", page, "-static")
        static(folder, f"static-pie-{page}", page, "-static-pie", "-fPIE")
    for pad in PADS:
        for layout in ("separate-code", "noseparate-code", "norelro"):
            flags = (f"-Wl,-z,{layout}", f"-DPAD={pad}")
            linked(folder, f"library-{layout}-{pad}", 4096, 65536, library_flags=flags)
            static(folder, f"static-pie-{layout}-{pad}", 4096, "-static-pie", "-fPIE", *flags)
    linked(folder, "library-says-4096", 65536, 65536)
    says(folder / "library-says-4096" / "libt.so", 4096)
    linked(folder, "program-says-4096", 65536, 65536)
    says(folder / "program-says-4096" / "program", 4096)
    for source in folder.glob("*.c"):
        source.unlink()


def linked(
    folder: Path,
    name: str,
    library: int,
    program: int,
    *,
    library_flags: tuple[str, ...] = (),
    program_flags: tuple[str, ...] = (),
) -> None:
    """A program and its library, each linked for pages of that many bytes."""
    case = folder / name
    case.mkdir()
    pad = () if any(f.startswith("-DPAD") for f in library_flags) else ("-DPAD=0",)
    shared = (*ALONE, "-fPIC", "-shared", "-Wl,-soname,libt.so", f"-Wl,-z,max-page-size={library}")
    run(*CC, *shared, *pad, *library_flags, folder / "lib.c", "-o", case / "libt.so")
    for_pages = (*ALONE, f"-Wl,-z,max-page-size={program}", "-Wl,-rpath,$ORIGIN", "-L", case)
    run(*CC, folder / "main.c", *for_pages, *program_flags, "-lt", "-o", case / "program")


def static(folder: Path, name: str, page: int, *flags: str) -> None:
    case = folder / name
    case.mkdir()
    pad = () if any(f.startswith("-DPAD") for f in flags) else ("-DPAD=0",)
    sources = (folder / "main.c", folder / "lib.c")
    run(*CC, *flags, *pad, f"-Wl,-z,max-page-size={page}", *sources, "-o", case / "program")


def says(path: Path, alignment: int) -> None:
    """Write another p_align into every loaded segment and move nothing."""
    data = bytearray(path.read_bytes())
    start, size, number = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
    for row in range(start, start + number * size, size):
        if struct.unpack_from("<I", data, row) == (1,):
            struct.pack_into("<Q", data, row + 48, alignment)
    path.write_bytes(data)


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def kernel(cache: Path) -> Path:
    """The kernel's image, fetched from Debian 13 the first time."""
    root = cache / "kernel-16k"
    if not list(root.glob("boot/vmlinuz-*")):
        archive = Archive("trixie", "arm64", cache / "apt-trixie-arm64")
        (meta,) = archive.fetch(("linux-image-arm64-16k",))
        needs = subprocess.check_output(["dpkg-deb", "-f", meta, "Depends"], text=True)
        root.mkdir(parents=True, exist_ok=True)
        extract(archive.fetch((needs.split()[0],))[0], root)
        shutil.rmtree(root / "usr", ignore_errors=True)  # its modules: none is needed
    return next(root.glob("boot/vmlinuz-*"))


def boot(image: Path, cases: Path, cache: Path) -> str:
    """What the machine prints: a line for each suite and case. Raises TimeoutExpired."""
    root = cases.parent / "pages-root"
    shutil.rmtree(root, ignore_errors=True)
    for suite in SUITES:
        for folder in ("usr/lib", "proc"):
            (root / suite / folder).mkdir(parents=True)
        (root / suite / "lib").symlink_to("usr/lib")
        libraries = unpack(cache, suite, AARCH64).root / "usr/lib"
        for path in (*libraries.glob("ld-*"), *libraries.glob("*-linux-gnu/*.so*")):
            if path.name.startswith(("ld-", "libc.", "libc-")):
                target = root / suite / path.relative_to(libraries.parents[1])
                target.parent.mkdir(exist_ok=True)
                shutil.copy2(path, target, follow_symlinks=False)
        shutil.copytree(cases, root / suite / "proof")
    run(*CC, "-static", HERE / "pages_init.c", "-o", root / "init")
    (root / "dev").mkdir()
    os.mknod(root / "dev/console", 0o20600, os.makedev(5, 1))
    disk = cases.parent / "pages.cpio"
    pack = f"find . | cpio -o -H newc --quiet > '{disk}'"
    subprocess.run(["sh", "-c", pack], cwd=root, check=True)
    machine = ("-M", "virt", "-cpu", "max", "-m", "2048", "-nic", "none", "-nographic")
    files = ("-kernel", image, "-initrd", disk, "-append", "console=ttyAMA0 quiet panic=-1")
    command = ("qemu-system-aarch64", *machine, "-no-reboot", *files)
    done = subprocess.run(command, capture_output=True, timeout=600, check=True)
    return done.stdout.decode(errors="replace")


def refusals(case: Path, suite: str) -> list[str]:
    """BM162 of a case for a Pi 5 with that suite."""
    target = kinds.kind(f"pi5-64@{suite}", "EM_AARCH64").target
    policy = AuditPolicy(target, page_size=PAGE, stray=True)
    findings = audit.judge_tree(elf.survey(case), policy)
    return [str(finding) for finding in findings if finding.code == "BM162"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/buildmatrix/proof")
    cache = parser.parse_args().cache
    cases = cache / "pages"
    build(cases)
    printed = boot(kernel(cache), cases, cache)
    if f"PAGES {PAGE}" not in printed:
        sys.exit(f"no kernel with pages of {PAGE} bytes:\n{printed[-2000:]}")
    rows = re.findall(r"END (\S+) (\S+) (-?\d+)", printed)
    started = refused = wrong = 0
    for suite, name, status in sorted(rows):
        starts, findings = status == "0", refusals(cases / name, suite)
        started += starts
        refused += bool(findings)
        if starts == bool(findings):
            wrong += 1
            sys.stdout.write(f"{suite} {name}: ended with {status}, the audit: {findings}\n")
    expected = len(SUITES) * len(list(cases.iterdir()))
    sys.stdout.write(
        f"{len(rows)} of {expected} runs under pages of {PAGE} bytes: {started} started, "
        f"{refused} are refused by BM162, {wrong} disagree\n"
    )
    return 0 if len(rows) == expected and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
