#!/usr/bin/env bash
# A library may define a symbol version whose name is nowhere in the file as a string of its own.
# GNU ld stores strings that end alike once: libgomp defines OMP_5.1 and GOMP_5.1, and the name of
# the first is the name of the second from its second letter on. So a search for NUL OMP_5.1 NUL,
# which is what a board without readelf can do with grep, says that the version is not there, and
# a search without the leading NUL would find OMP_9 in GOMP_9. Only names without a longer twin
# (OMP_3.1, OMP_5.0.2) stand alone. Debian bookworm's libgomp1, read with pyelftools.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq libgomp1:amd64=12.2.0-14+deb12u1 >/dev/null 2>&1
dpkg-deb -x libgomp1_*.deb root
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyelftools==0.32
library=$(find root -name 'libgomp.so.1.0.0')

defined=$(venv/bin/python - "$library" <<'P'
import sys
from elftools.elf.elffile import ELFFile
with open(sys.argv[1], "rb") as file:
    section = ELFFile(file).get_section_by_name(".gnu.version_d")
    names = {next(iter(aux)).name for _, aux in section.iter_versions()}
print("\n".join(sorted(name for name in names if name.startswith("OMP_"))))
P
)
alone=$(for name in $defined; do grep -qaP "\x00$name\x00" "$library" && echo "$name"; done || true)
echo "libgomp1 12.2.0-14+deb12u1 defines:" $defined
echo "of these, as strings of their own:" $alone
[ "$(echo $defined)" = "OMP_1.0 OMP_2.0 OMP_3.0 OMP_3.1 OMP_4.0 OMP_4.5 OMP_5.0 OMP_5.0.1 OMP_5.0.2 OMP_5.1" ]
[ "$(echo $alone)" = "OMP_3.1 OMP_5.0.2" ]
