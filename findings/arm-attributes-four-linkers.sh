#!/usr/bin/env bash
# Four linkers, four answers to 'which CPU is this 32-bit ARM program for?'. One object for ARMv7
# with VFPv3-D16 comes first, one for ARMv8 with its FPU second. GNU ld writes the higher of both,
# lld keeps the first object's, mold writes no .ARM.attributes at all, and gold raises Tag_CPU_arch
# to v8 but leaves Tag_FP_arch as it was. Who
# reads the attributes of a finished file learns which linker it was. Debian bookworm's packages;
# lld 19 and mold 2.37.1 of trixie do the same, and its gold says VFPv3 of such a program.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq binutils-arm-linux-gnueabihf=2.40-2 libbinutils=2.40-2 binutils-common=2.40-2 \
  mold=1.10.1+dfsg-1 lld-14=1:14.0.6-12 libllvm14=1:14.0.6-12 libz3-4=4.8.12-3.1 \
  libtbb12=2021.8.0-2+deb12u1 libmimalloc2.0=2.0.9+ds-2 libctf0=2.40-2 libctf-nobfd0=2.40-2 >/dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu
tool() { "root/usr/bin/arm-linux-gnueabihf-$@"; }

printf '\t.arch armv7-a\n\t.fpu vfpv3-d16\n\t.globl _start\n_start:\n\tbl round\n' >first.s
printf '\t.arch armv8-a\n\t.fpu fp-armv8\n\t.globl round\nround:\n\tvrintm.f32 s0, s0\n\tbx lr\n' \
  >second.s
for name in first second; do tool as -march=armv7-a -o $name.o $name.s; done

failed=0
expect() { # LINKER ANSWER COMMAND...
  local linker=$1 wanted=$2 answer
  shift 2
  "$@" first.o second.o -o "$linker"
  answer=$(tool readelf -A "$linker" | sed -n 's/ *Tag_\(CPU_arch\|FP_arch\): //p' | paste -sd, -)
  echo "$linker: ${answer:-no attributes}"
  [ "$answer" = "$wanted" ] || failed=1
}
tool readelf -A second.o | grep -q 'Tag_FP_arch: FP for ARMv8'
expect ld 'v8,FP for ARMv8' tool ld
expect gold 'v8,VFPv3-D16' tool ld.gold
expect lld 'v7,VFPv3-D16' root/usr/lib/llvm-14/bin/ld.lld
expect mold '' root/usr/bin/mold -m armelf_linux_eabi
exit "$failed"
