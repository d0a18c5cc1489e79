"""Folders by processor feature and platform, which glibc looked into up to 2.36."""

from __future__ import annotations

from tests.proof.case import AARCH64, ARM
from tests.proof.cases.row import BOTH, PLAIN, Row

KERNELS = (
    "to a 32-bit program of a 64-bit processor the kernel says v8l where it has 64 bits, or v7l"
)


ROWS = (
    *(
        Row(
            name,
            f"the library lies in {folder}/, where glibc looked up to 2.36",
            (*PLAIN, f"mkdir -p tree/lib/{folder}", f"mv tree/lib/*.so tree/lib/{folder}"),
            compiler=compiler,
            machines=machines,
            undecidable=KERNELS if "v7l" in folder else "",
        )
        for name, folder, compiler, machines in (
            ("folder-tls", "tls", "gcc12", BOTH),
            ("folder-tls-old", "tls", "zig", BOTH),  # for glibc 2.31 too
            ("folder-v7l", "v7l", "zig", (ARM,)),
            ("folder-platform", "aarch64", "zig", (AARCH64,)),
            ("folder-neon", "neon", "gcc12", (ARM,)),
            ("folder-vfp", "tls/v7l/neon/vfp", "zig", (ARM,)),
            ("folder-upside-down", "vfp/neon", "zig", (ARM,)),
            ("folder-atomics", "atomics", "gcc12", (AARCH64,)),
            ("folder-atomics-old", "tls/aarch64/atomics", "zig", (AARCH64,)),
            ("folder-hwcaps", "glibc-hwcaps/atomics", "gcc12", (AARCH64,)),
        )
    ),
    Row(
        "folder-first",
        "a text in tls/ comes before the library itself, up to 2.36",
        (*PLAIN, "mkdir tree/lib/tls", "echo text > tree/lib/tls/libvalue.so"),
    ),
)
