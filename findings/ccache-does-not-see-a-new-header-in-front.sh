#!/usr/bin/env bash
# A patch adds a header to a folder that is searched before the one where the compiler found it so far.
# Command, source and every file that was read are as they were, so ccache's direct mode, its default,
# hands out the object of the old header; depend mode does too. Preprocessing each time (direct_mode =
# false) sees it. Its manual names the gap among its caveats; who builds a matrix of patches from one
# cache meets it. A namespace that changes with the names of the given files closes it and keeps the
# direct mode, which is what buildmatrix does (buildmatrix/compiler_cache.py). What `.incbin` reads is
# safe outside depend mode: a file with that word is not kept at all.
#
# Seen on 2026-11-30 with ccache 4.7.5 (Debian 12, 4.8+really4.7.5-1) and GCC 12.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
command -v gcc >/dev/null || apt-get install -y -qq gcc libc6-dev >/dev/null
apt-get download -qq ccache=4.8+really4.7.5-1 libhiredis0.14=0.14.1-3 >/dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
export LD_LIBRARY_PATH=$folder/root/usr/lib/x86_64-linux-gnu CCACHE_CONFIGPATH=$folder/conf
ccache=$folder/root/usr/bin/ccache
"$ccache" --version | sed -n 1p

returned() { # MODE: what the function returns, by the object that a second compile was given
  rm -rf cache work
  mkdir -p work/own work/system
  printf 'cache_dir = %s\n%b' "$folder/cache" "$1" >conf
  printf '#include <value.h>\nint part(void) { return VALUE; }\n' >work/part.c
  echo '#define VALUE 1' >work/system/value.h
  touch -d 2020-01-01 work/part.c work/system/value.h # or ccache waits for them to be older
  (
    cd work
    "$ccache" gcc -MD -O1 -Iown -Isystem -c part.c -o part.o
    echo '#define VALUE 2' >own/value.h
    if [ "$2" = renamed ]; then echo 'namespace = other' >>"$folder/conf"; fi
    "$ccache" gcc -MD -O1 -Iown -Isystem -c part.c -o part.o
    printf 'int part(void);\nint main(void) { return part(); }\n' >main.c
    gcc main.c part.o -o main
    ./main || echo $?
  )
}
failed=0
expect() { # WORDS WANTED CONFIGURATION NAMESPACE
  local answer
  answer=$(returned "$3" "$4")
  echo "$1: VALUE is $answer"
  [ "$answer" = "$2" ] || failed=1
}
expect 'direct mode' 1 '' kept
expect 'depend mode' 1 'depend_mode = true\n' kept
expect 'preprocessed each time' 2 'direct_mode = false\n' kept
expect 'direct mode, another namespace' 2 '' renamed
exit "$failed"
