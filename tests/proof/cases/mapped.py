"""Program headers that part from what the section headers say: the loader goes by them alone."""

from __future__ import annotations

from tests.proof.case import AARCH64, ARM
from tests.proof.cases.row import PLAIN, Row

# The first program header of a library of GNU ld is a loaded segment of code: where its flags, its
# place in the file and its size there begin, 32-bit and 64-bit ELF.
PLACES = {ARM: (52 + 24, 52 + 4, 52 + 16), AARCH64: (64 + 4, 64 + 8, 64 + 32)}
POKE = "printf '{}' | dd of=tree/lib/libvalue.so bs=1 seek={} conv=notrunc"
KINDS = (
    ("not-executable", "may be read and not executed", 0, r"\004"),
    ("not-readable", "may be neither read nor executed", 0, r"\002"),
    ("shifted", "lies four bytes further on in the file", 1, r"\004"),
    ("cut", "ends one byte behind its start", 2, r"\001\000\000\000"),
)

ROWS = tuple(
    Row(
        f"mapped-{name}",
        f"the library's segment of code {what}",
        (*PLAIN, POKE.format(octal, PLACES[machine][field])),
        machines=(machine,),
    )
    for name, what, field, octal in KINDS
    for machine in (ARM, AARCH64)
)
ROWS += tuple(
    Row(
        f"mapped-{name}",
        f"{what} without a loaded segment",
        (
            *PLAIN,
            *(
                POKE.format(r"\000\000\000\000", start + number * size).replace(
                    "lib/libvalue.so", file
                )
                for number in range(count)
            ),
        ),
        machines=(machine,),
    )
    for machine, start, size in ((ARM, 52, 32), (AARCH64, 64, 56))
    for name, what, file, count in (("nothing", "the library", "lib/libvalue.so", 2),)
)
