#!/usr/bin/env bash
# 32-bit ARM keeps relocations without addends (REL), yet lld writes them with addends where it is
# told to (-z rela), and glibc's loader took both kinds: 2.31 and 2.36 do. 2.41 reads the second kind
# no more, and says nothing: the program starts, and every pointer in its data is as it was in the
# file. Shown by a program of two words that compares a relocated pointer with the address. Debian's
# loaders (2.36 of bookworm, 2.41 of trixie) under its qemu-user 7.2, linked by its lld 14.0.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg

fetch() { # SUITE ARCHITECTURE FOLDER PACKAGE...: unpacked, without what they depend on
  local suite=$1 machine=$2 to=$3 options package
  shift 3
  mkdir -p "$to"/{state/lists/partial,cache/archives/partial,debs}
  echo "deb [arch=$machine signed-by=$keys] $mirror $suite main" >"$to/list"
  options=(-o "Dir::State=$folder/$to/state" -o "Dir::Cache=$folder/$to/cache"
    -o "Dir::Etc::sourcelist=$folder/$to/list" -o Dir::Etc::sourceparts=-
    -o "APT::Architecture=$machine" -o "APT::Architectures=$machine" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq >/dev/null 2>&1
  (cd "$to/debs" && apt-get "${options[@]}" download -qq "$@" >/dev/null 2>&1)
  for package in "$to"/debs/*.deb; do dpkg-deb -x "$package" "$to/root"; done
}
fetch bookworm amd64 tools lld-14=1:14.0.6-12 libllvm14=1:14.0.6-12 libz3-4=4.8.12-3.1 \
  binutils-arm-linux-gnueabihf=2.40-2 libbinutils=2.40-2 libctf0=2.40-2 qemu-user-static=1:7.2+dfsg-7+deb12u18+b3
fetch bookworm armhf bookworm libc6=2.36-9+deb12u14
fetch trixie armhf trixie libc6=2.41-12+deb13u5
ln -s usr/lib trixie/root/lib

cat >program.s <<'END'
        .syntax unified
        .arch armv7-a
        .data
value:  .word 7
place:  .word value                @ what the loader relocates
        .text
        .globl _start
_start: ldr r1, 2f
0:      add r1, pc, r1
        ldr r1, [r1]
        ldr r2, 3f
1:      add r2, pc, r2
        mov r0, #0
        cmp r1, r2
        movne r0, #1               @ exit(place != &value)
        mov r7, #1
        svc 0
2:      .word place - (0b + 8)
3:      .word value - (1b + 8)
END
export LD_LIBRARY_PATH=$folder/tools/root/usr/lib/x86_64-linux-gnu
tools/root/usr/bin/arm-linux-gnueabihf-as -o program.o program.s
failed=0
for kind in rel rela; do
  tools/root/usr/lib/llvm-14/bin/ld.lld -pie -z "$kind" \
    --dynamic-linker=/lib/ld-linux-armhf.so.3 program.o -o "$kind"
  for suite in bookworm trixie; do
    code=0
    said=$(tools/root/usr/bin/qemu-arm-static -L "$suite/root" "./$kind" 2>&1) || code=$?
    version=$(dpkg-deb -f "$suite"/debs/libc6_*.deb Version)
    echo "-z $kind, glibc $version: $([ "$code" = 0 ] && echo relocated || echo not relocated)${said:+, $said}"
    wanted=0
    [ "$kind/$suite" != rela/trixie ] || wanted=1
    [ "$code" = "$wanted" ] && [ -z "$said" ] || failed=1
  done
done
exit "$failed"
