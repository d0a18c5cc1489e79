#!/usr/bin/env bash
# FFmpeg's libavutil for arm64 takes random bits from the cycle counter (mrs pmccntr_el0) where
# /dev/urandom gives none. Linux keeps that register from programs (PMUSERENR_EL0 is 0 unless
# perf_event_open hands it out), so in a root folder without /dev av_get_random_seed does not fall
# back: it ends the program with SIGILL. The register that Linux opens is cntvct_el0. Seen under
# QEMU's Cortex-A76: illegal instruction without /dev, a seed with it. Package libavutil59 of
# Debian 13; here the code is read, nothing is run. The audit names it (`pmu`) in a warning, because
# a branch stands before it.
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
apt-get "${options[@]}" download -qq libavutil59=7:7.1.5-0+deb13u1 >/dev/null 2>&1
dpkg-deb -x libavutil59_*.deb root
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyelftools==0.32 capstone==5.0.3 2>/dev/null

seen=$(venv/bin/python - root/usr/lib/aarch64-linux-gnu/libavutil.so.59 <<'P'
import sys
import capstone
from elftools.elf.elffile import ELFFile

with open(sys.argv[1], "rb") as file:
    elf = ELFFile(file)
    symbols = elf.get_section_by_name(".dynsym").get_symbol_by_name("av_get_random_seed")
    start, size = symbols[0]["st_value"], symbols[0]["st_size"]
    text = elf.get_section_by_name(".text")
    code = text.data()[start - text["sh_addr"] :][:size]
engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
engine.skipdata = True
lines = [f"{line.mnemonic} {line.op_str}" for line in engine.disasm(code, start)]
print(sum("pmccntr_el0" in line for line in lines), sum("cntvct_el0" in line for line in lines))
P
)
echo "libavutil59 7.1.5-0+deb13u1, av_get_random_seed: reads of pmccntr_el0 and cntvct_el0: $seen"
[ "$seen" = "3 0" ]
