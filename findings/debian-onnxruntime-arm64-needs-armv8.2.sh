#!/usr/bin/env bash
# Debian's own build of ONNX Runtime for arm64 has, as upstream's wheel of the same version has, a
# half-precision instruction (fmov v.4h, ARMv8.2-A with FP16) in a function of .init_array, with no
# branch before it. Debian's arm64 promises ARMv8.0; a Cortex-A53 or A72 (Raspberry Pi 3 and 4) has
# no such instruction, so no program that is linked with this library starts there, whatever the
# kernels that it chooses at run time. Read here from the code alone, nothing is run. Package
# libonnxruntime1.21 1.21.0+dfsg-1 of trixie; upstream's issue 23957 is about the wheel.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -1)
mkdir -p state/lists/partial cache/archives/partial
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [arch=arm64 signed-by=$keys] $mirror trixie main" >list
options=(-o "Dir::State=$folder/state" -o "Dir::Cache=$folder/cache" -o "Dir::Etc::sourcelist=$folder/list"
  -o Dir::Etc::sourceparts=- -o APT::Architecture=arm64 -o APT::Architectures=arm64
  -o APT::Sandbox::User=root)
apt-get "${options[@]}" update -qq >/dev/null 2>&1
apt-get "${options[@]}" download -qq libonnxruntime1.21=1.21.0+dfsg-1 >/dev/null 2>&1
dpkg-deb -x libonnxruntime1.21_*.deb root
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyelftools==0.32 capstone==5.0.3 2>/dev/null

seen=$(venv/bin/python - root/usr/lib/aarch64-linux-gnu/libonnxruntime.so.1.21.0 <<'P'
import sys
import capstone
from elftools.elf.elffile import ELFFile

RELATIVE = 1027  # R_AARCH64_RELATIVE: where .init_array's entries stand in a shared library
with open(sys.argv[1], "rb") as file:
    elf = ELFFile(file)
    array, text = (elf.get_section_by_name(name) for name in (".init_array", ".text"))
    first, last = array["sh_addr"], array["sh_addr"] + array["sh_size"]
    entries = [
        row["r_addend"]
        for row in elf.get_section_by_name(".rela.dyn").iter_relocations()
        if row["r_info_type"] == RELATIVE and first <= row["r_offset"] < last
    ]
    code, start = text.data(), text["sh_addr"]
engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
for entry in entries:
    for line in engine.disasm(code[entry - start : entry - start + 4096], entry):
        if line.mnemonic in ("ret", "b", "br", "cbz", "cbnz", "tbz", "tbnz") or "b." in line.mnemonic:
            break
        if line.mnemonic == "fmov" and ".4h" in line.op_str:
            print(f"{entry:#x}: {line.mnemonic} {line.op_str}")
            break
P
)
echo "libonnxruntime1.21 1.21.0+dfsg-1, arm64: initializer $seen"
[ "$seen" = '0xb4c80: fmov v25.4h, #0.50000000' ]
