# Run in a new image: C with a function of the C library, compiled with the flags every stack gets
# and executed under the emulator. Arguments: TRIPLE EMULATOR FLAGS...
set -eu
triple=$1 emulator=$2
shift 2
"$triple-gcc" "$@" -O2 -nostartfiles -o /tmp/smoke-c smoke.c
"$emulator" /tmp/smoke-c
