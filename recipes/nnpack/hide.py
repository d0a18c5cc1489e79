"""hide.py LIBRARY PREFIX…: of a 64-bit ELF library's symbols only those named PREFIX… stay visible.

PyTorch's libtorch_cpu.so exports all that is linked into it, and an OpenBLAS is. Of each name that
two libraries have the loader takes the first, for both: with Caffe in one process, 567 functions
that our libopenblas.so.0 calls of its own, sgemm_nn among them, were PyTorch's instead, and so was
openblas_set_num_threads (LD_DEBUG=bindings). The answer was right, and the BLAS another one.

So the symbols are marked STV_HIDDEN, as a linker's version script would have done: the loader then
binds a library's own uses of one to that library, and never offers it to another (glibc,
elf/dl-lookup.c, do_lookup_x). No instruction changes. STB_GNU_UNIQUE ones stay: they are meant to
be one in a process, and are PyTorch's and libstdc++'s.
"""

import struct
import sys
from pathlib import Path

DYNSYM, HIDDEN, GLOBAL, WEAK = 11, 2, 1, 2  # SHT_, STV_, STB_ of elf(5)


def main(path, prefixes):
    with Path(path).open("r+b") as file:

        def read(layout, at):
            file.seek(at)
            return struct.unpack(layout, file.read(struct.calcsize(layout)))

        assert read("<4sBB", 0) == (b"\x7fELF", 2, 1), "a little-endian 64-bit ELF file"
        (start,), (size, count) = read("<Q", 40), read("<HH", 58)
        sections = [read("<IIQQQQIIQQ", start + i * size) for i in range(count)]
        (table,) = (s for s in sections if s[1] == DYNSYM)
        _, _, _, _, names, length, *_ = sections[table[6]]
        file.seek(names)
        texts = file.read(length)
        file.seek(table[4])
        symbols = bytearray(file.read(table[5]))
        for at in range(0, len(symbols), 24):
            name, info, other, section = struct.unpack_from("<IBBH", symbols, at)
            if section and info >> 4 in (GLOBAL, WEAK) and not texts.startswith(prefixes, name):
                symbols[at + 5] = other & ~3 | HIDDEN
        file.seek(table[4])
        file.write(symbols)


main(sys.argv[1], tuple(prefix.encode() for prefix in sys.argv[2:]))
