#!/usr/bin/env bash
# A C file that takes in a model by `.incbin`, as firmware does, and -MD beside it, as CMake writes: with
# CCACHE_DEPEND=1 ccache 4.7.5 hands out the object with the old model when the model changed. Its default
# mode finds the word in the preprocessed file and keeps nothing; depend mode does not preprocess, and
# GCC's list of what was read names headers alone. The mode is tempting for a matrix: from nothing it
# adds at most a third to a small C file's 35 ms, where the default adds two thirds and more.
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
cat >part.c <<'C'
__asm__(".pushsection .rodata\nmodel: .incbin \"model.bin\"\n.popsection");
extern const char model[] __asm__("model");
int main(void) { return model[0] - '0'; }
C
touch -d 2020-01-01 part.c # or ccache waits for it to be older

returned() { # CONFIGURATION: what the program returns after its model became 2
  rm -rf cache
  printf 'cache_dir = %s\n%b' "$folder/cache" "$1" >conf
  for model in 1 2; do
    printf '%s' "$model" >model.bin
    "$ccache" gcc -MD -O1 -c part.c -o part.o
  done
  gcc part.o -o main
  ./main || echo $?
}
failed=0
expect() { # WORDS WANTED CONFIGURATION
  local answer
  answer=$(returned "$3")
  echo "$1: the model is $answer"
  [ "$answer" = "$2" ] || failed=1
}
expect 'by default' 2 ''
expect 'depend mode' 1 'depend_mode = true\n'
exit "$failed"
