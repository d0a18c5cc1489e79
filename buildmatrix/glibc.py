"""What a board with glibc has of it: the loader of each machine, and the libraries beside it."""

from __future__ import annotations

# By machine and float ABI, under the path that a program names: the psABI's, which every
# distribution keeps. With merged folders (/lib is /usr/lib) and Debian's multiarch it is at the
# others as well.
LOADERS = {
    ("EM_ARM", "hard"): "/lib/ld-linux-armhf.so.3",
    ("EM_ARM", "soft"): "/lib/ld-linux.so.3",
    ("EM_AARCH64", "hard"): "/lib/ld-linux-aarch64.so.1",
    ("EM_X86_64", "hard"): "/lib64/ld-linux-x86-64.so.2",
}
# What a bundle need not bring, by soname: of the loaders those that a target of ours has.
LIBRARIES = (
    "ld-linux-armhf.so.3",
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
)
