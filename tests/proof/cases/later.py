"""Instructions of 2022 and 2023."""

from __future__ import annotations

from tests.proof.case import AARCH64
from tests.proof.cases.row import Row

INSTRUCTIONS = {
    "gcs-push": ("gcspushm x0", "0xd50b7700"),
    "gcs-store": ("gcsstr x0, [x1]", "0xd91f0c20"),
    "famax": ("famax v0.4s, v1.4s, v2.4s", "0x4ea2dc20"),
    "famin-half": ("famin v0.4h, v1.4h, v2.4h", "0x2ec21c20"),
    "fp8-convert": ("fcvtn v0.16b, v1.8h, v2.8h", "0x4e42f420"),
    "fp8-widen": ("f1cvtl v0.8h, v1.8b", "0x2e217820"),
    "fp8-dot": ("fdot v0.4s, v1.16b, v2.16b", "0x4e02fc20"),
    "fp8-dot-element": ("fdot v0.4h, v1.8b, v2.2b[3]", "0x0f720020"),
    "fp8-multiply": ("fmlallbb v0.4s, v1.16b, v2.16b", "0x0e02c420"),
    "fp8-scale": ("fscale v0.4s, v1.4s, v2.4s", "0x6ea2fc20"),
    "lookup": ("luti2 v0.16b, {v1.16b}, v2[3]", "0x4e827020"),
    "checked-pointer": ("addpt x0, x1, x2", "0x9a022020"),
}
ROWS = tuple(
    Row(
        f"later-{name}",
        text,
        ("$CC -O2 main.c -o tree/bin/main",),
        {
            "main.c": "static __attribute__((noinline)) void newer(void) {"
            f' __asm__ volatile(".inst {word}" ::: "x0", "v0"); }}\n'
            "int main(void) { newer(); return 0; }\n"
        },
        (AARCH64,),
    )
    for name, (text, word) in INSTRUCTIONS.items()
)
