#!/usr/bin/env bash
# torchvision's wheels for aarch64 bring glibc's own dynamic loader as if it were a library: renamed
# (ld-linux-aarch64.HASH.so.1), and five image libraries need it by that name, for its
# __stack_chk_guard, which on aarch64 stands in the loader and not in libc.so.6. A process that
# opens one of them has two loaders mapped, the second's _rtld_global never filled in; it goes well
# because the first one's names come first. What takes every name of a loader other than the
# system's for a foreign system's (ours did) refuses five libraries that open. Seen in 0.21.0,
# 0.24.0, 0.26.0, 0.28.0 and 0.29.1; libz and libpng16 of the last open under QEMU's Cortex-A72 with
# glibc 2.36 and 2.41. Read here from the files alone, nothing is run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyelftools==0.32
venv/bin/pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
  --platform manylinux_2_28_aarch64 torchvision==0.29.1
venv/bin/python - torchvision-*.whl <<'P' | tee seen
import io
import sys
import zipfile

from elftools.elf.elffile import ELFFile

askers, offered = [], []
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for path in sorted(name for name in wheel.namelist() if ".libs/" in name and ".so" in name):
        elf = ELFFile(io.BytesIO(wheel.read(path)))
        dynamic = elf.get_section_by_name(".dynamic")
        needed = [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")]
        if any(name.startswith("ld-linux") for name in needed):
            askers.append(path.rpartition("/")[2])
        if "/ld-linux" in path:
            names = {s.name for s in elf.get_section_by_name(".dynsym").iter_symbols()}
            offered = sorted(names & {"__stack_chk_guard", "_rtld_global"})
print(len(askers), "need the loader that is brought, which defines", *offered)
P
grep -qx '5 need the loader that is brought, which defines __stack_chk_guard _rtld_global' seen
