# Run in a new image: C, C++, threads and NEON intrinsics, compiled with the flags every stack
# gets and executed under the emulator. Arguments: TRIPLE EMULATOR FLAGS...
set -eu
triple=$1 emulator=$2
shift 2
"$triple-gcc" "$@" -O2 -o /tmp/smoke-c smoke.c
"$triple-g++" "$@" -O2 -pthread -o /tmp/smoke-cpp smoke.cpp
"$emulator" /tmp/smoke-c
"$emulator" /tmp/smoke-cpp
