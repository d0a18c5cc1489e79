"""Kinds 21 to 25 and 27: files that stop an audit, or of which it once said nothing."""

from __future__ import annotations

from tests.kinds.kind import PI2, PI3, Kind
from tests.kinds.processor import LSE, NEON, ZERO

SUM = {"x.c": "int sum(int a, int b) { return a + b; }\n", "main.c": ZERO}
BESIDE = "$CC main.c -o tree/main"
TEXT = "printf 'INPUT(libx.so.1)\\n' > tree/libx.so"
# What GCC 13 writes for -gz=zstd begins so: the compression's number is 2.
AS_ZSTD = (
    "at=$(LC_ALL=C readelf -SW tree/main | sed -n 's/.* .debug_info *PROGBITS *[0-9a-f]* "
    "\\([0-9a-f]*\\) .*/\\1/p'); "
    "printf '\\002' | dd of=tree/main bs=1 seek=$((0x$at)) conv=notrunc status=none"
)
X86 = "gcc main.c -o tree/{}"

ITSELF = (
    Kind(21, "unknown-attribute-with-a-text", PI2,
         {"x.s": '\t.eabi_attribute 71, "hi"\n\t.eabi_attribute 70, 3\n\t.text\n'
                 '\t.section .note.GNU-stack,"",%progbits\n', "main.c": ZERO},
         ("$CC main.c x.s -o tree/main",)),
    Kind(21, "debug-information-alone", PI3, SUM,
         ("$CC -g main.c -o main", "$OBJCOPY --only-keep-debug main tree/main.debug", BESIDE),
         warnings="BM106", says="debug information alone"),
    Kind(21, "thin-archive", PI3, SUM,
         ("cd tree", "$CC -c ../x.c -o x.o", "$AR rcT libx.a x.o", "cd ..", BESIDE)),
    Kind(21, "thin-archive-without-its-objects", PI3, {**SUM, "main.c": LSE},
         ("cd tree", "$CC -c ../x.c -o x.o", "$AR rcT libx.a x.o", "rm x.o", "cd ..",
          "$CC -march=armv8.1-a main.c -o tree/main"),
         errors="BM105 BM116", says="x.o is not there"),
    Kind(21, "cut-in-its-middle", PI2, {**SUM, "main.c": NEON},
         ("$CC -shared -fPIC x.c -o x.so", "head -c 3000 x.so > tree/libx.so",
          "$CC -mfpu=neon main.c -o tree/main"), errors="BM105"),
    Kind(21, "a-core-file", PI3, SUM,
         (BESIDE, "$OBJCOPY -I binary -O elf64-littleaarch64 main.c data.o",
          "printf '\\004' | dd of=data.o bs=1 seek=16 conv=notrunc status=none",
          "mv data.o tree/core"), warnings="BM106", says="core"),
    Kind(22, "slim-lto-object", PI3, SUM, ("$CC -flto -c x.c -o tree/x.o",), warnings="BM106",
         says="LTO"),
    Kind(22, "slim-lto-in-an-archive", PI3, SUM,
         ("$CC -flto -c x.c -o x.o", "$AR rcs tree/libx.a x.o"), warnings="BM106", says="LTO"),
    Kind(22, "fat-lto-object", PI3, SUM, ("$CC -flto -ffat-lto-objects -c x.c -o tree/x.o",)),
    Kind(22, "bitcode-beside-an-object", PI3, SUM,
         ("$CC -c x.c -o x.o", "printf 'BC\\300\\336____' > y.o", "$AR rcs tree/libx.a x.o y.o"),
         warnings="BM106", says="bitcode"),
    Kind(23, "debug-information-in-zstd", PI3, SUM,
         ("$CC -g -gz main.c -o tree/main", AS_ZSTD), says="zstd"),
    Kind(23, "debug-information-in-zlib", PI3, SUM, ("$CC -g -gz main.c -o tree/main",)),
    Kind(24, "a-text-with-a-librarys-name", PI3, SUM, (BESIDE, TEXT)),
    Kind(25, "a-name-that-is-no-utf-8", PI3, {**SUM, "main.c": LSE},
         ("$CC -march=armv8.1-a main.c -o \"tree/$(printf 'a\\377b')\"",), errors="BM116"),
    Kind(27, "x86-beside-arm", PI3, SUM, (BESIDE, X86.format("tool")), errors="BM101"),
    Kind(27, "the-other-byte-order", PI3, {**SUM, "x.s": "\t.text\n\tnop\n"},
         (BESIDE, "$AS -EB x.s -o tree/x.o"), errors="BM101", says="big-endian"),
    Kind(27, "the-other-arm", PI3, SUM, (BESIDE, "arm-linux-gnueabihf-gcc main.c -o tree/other"),
         errors="BM101"),
)  # fmt: skip
