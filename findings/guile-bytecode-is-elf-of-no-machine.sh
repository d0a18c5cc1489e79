#!/usr/bin/env bash
# Guile's compiled modules (.go) are ELF files for no processor: e_machine EM_NONE, OS/ABI 255
# (standalone), type DYN, with program headers and a .dynamic section that names no string table
# (sh_link 0), so pyelftools 0.32 ends in ELFError over their sections. Whoever takes the first four
# bytes for a shared library finds 331 damaged ones in one of Debian's packages for ARM, as our audit
# did. The bytecode knows the width of words and their order alone: armhf's and armel's files are
# the same to the byte. Package guile-3.0-libs 3.0.8-2 of bookworm; read, not run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -1)
mkdir -p state/lists/partial cache/archives/partial
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror bookworm main" >list
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyelftools==0.32 2>/dev/null
for machine in arm64 armhf armel; do
  options=(-o "Dir::State=$folder/state" -o "Dir::Cache=$folder/cache" -o "Dir::Etc::sourcelist=$folder/list"
    -o Dir::Etc::sourceparts=- -o "APT::Architecture=$machine" -o "APT::Architectures=$machine"
    -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq >/dev/null 2>&1
  apt-get "${options[@]}" download -qq guile-3.0-libs=3.0.8-2 >/dev/null 2>&1
  dpkg-deb -x "guile-3.0-libs_3.0.8-2_$machine.deb" "root-$machine"
done
venv/bin/python - <<'P' | tee seen
import struct
from collections import Counter
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

for machine in ("arm64", "armhf"):
    kinds = Counter()
    for path in sorted(Path(f"root-{machine}").rglob("*.go")):
        header = path.read_bytes()[:20]
        kind, number = struct.unpack("<HH", header[16:])
        with path.open("rb") as file:
            try:
                list(ELFFile(file).iter_sections())
                said = "read"
            except ELFError as error:
                said = str(error)
        kinds[f"e_machine {number}, e_type {kind}, OS/ABI {header[7]}; pyelftools: {said}"] += 1
    for text, files in kinds.items():
        print(f"{machine}, {files} files: {text}")
P
cmp_alike=0
for file in $(cd root-armhf && find . -name '*.go'); do
  if cmp -s "root-armhf/$file" "root-armel/${file/arm-linux-gnueabihf/arm-linux-gnueabi}"; then
    cmp_alike=$((cmp_alike + 1))
  fi
done
echo "armhf's and armel's alike: $cmp_alike" | tee -a seen
for machine in arm64 armhf; do
  grep -qx "$machine, 331 files: e_machine 0, e_type 3, OS/ABI 255; pyelftools: Unexpected section type SHT_NULL.*" seen
done
grep -qx "armhf's and armel's alike: 331" seen
