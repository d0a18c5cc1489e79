"""What lies in the place of a library: links, damaged files, files of another kind."""

from __future__ import annotations

from tests.proof.case import ARM
from tests.proof.cases.row import PLAIN, Row, built_later
from tests.proof.cases.symbols import PROGRAM

POKE = "printf '\\{:03o}' | dd of=tree/lib/libvalue.so bs=1 seek={} conv=notrunc"
OLD_ABI = (
    "which calls of the kernel it makes, those of the old ABI or of EABI, its code decides; "
    "kernels of 64 bits refuse a program without an EABI version"
)

ROWS = tuple(
    Row(f"place-{name}", what, (*PLAIN, *after))
    for name, what, after in (
        (
            "link-chain",
            "the library is a link to a link",
            (
                "mv tree/lib/libvalue.so tree/lib/libvalue.so.1.2",
                "ln -s libvalue.so.1.2 tree/lib/libvalue.so.1",
                "ln -s libvalue.so.1 tree/lib/libvalue.so",
            ),
        ),
        (
            "link-loop",
            "the library is a link to itself",
            ("rm tree/lib/libvalue.so", "ln -s libvalue.so tree/lib/libvalue.so"),
        ),
        (
            "link-loop-first",
            "a link to itself lies where the loader looks first, the library behind it",
            (
                "mkdir tree/first && ln -s libvalue.so tree/first/libvalue.so",
                PROGRAM.format("").replace("../lib", "../first:$ORIGIN/../lib"),
            ),
        ),
        (
            "link-absolute",
            "the library is a link to a place that is not there",
            (
                "mv tree/lib/libvalue.so tree/lib/real.so",
                "ln -s /nowhere/real.so tree/lib/libvalue.so",
            ),
        ),
        (
            "link-folder",
            "the folder of the library is a link",
            ("mv tree/lib tree/libraries", "ln -s libraries tree/lib"),
        ),
        (
            "board-file",
            "a library of the board is asked for by its file's own name, not its soname",
            (
                "$CC -shared -Wl,-soname,libgomp.so.1.0.0 -x c /dev/null -o libgomp.so.1.0.0",
                PROGRAM.format("-Wl,--no-as-needed libgomp.so.1.0.0"),
            ),
        ),
        *(
            (
                f"header-{name}",
                f"{name} of the library's header is {value}",
                (POKE.format(value, at),),
            )
            for name, at, value in (
                ("EI_VERSION", 6, 0),
                ("EI_ABIVERSION", 8, 9),
                ("EI_PAD", 9, 7),
                ("e_version", 20, 2),
            )
        ),
        (
            "own-libc",
            "the tree has a libc of its own, of Debian 12",
            ("cp /usr/$TRIPLE/lib/libc.so.6 tree/lib/",),
        ),
        (
            "object",
            "an object file in the place of the library",
            ("$CC -c value.c -o tree/lib/libvalue.so",),
        ),
        (
            "program",
            "a program in the place of the library",
            ("cp tree/bin/main tree/lib/libvalue.so",),
        ),
        (
            "cut",
            "the library ends in its middle",
            ("head -c 3000 tree/lib/libvalue.so > cut", "mv cut tree/lib/libvalue.so"),
        ),
        (
            "cut-headers",
            "the library has lost its section headers, and nothing else",
            ("truncate -s -100 tree/lib/libvalue.so",),
        ),
        (
            "debug",
            "debug information alone in the place of the library",
            ("$TRIPLE-objcopy --only-keep-debug tree/lib/libvalue.so",),
        ),
        (
            "spare-debug",
            "debug information beside the library",
            ("$TRIPLE-objcopy --only-keep-debug tree/lib/libvalue.so tree/lib/libvalue.so.debug",),
        ),
        ("mode", "a library that may not be executed", ("chmod 644 tree/lib/libvalue.so",)),
        ("mode-program", "a program that may not be executed", ("chmod 644 tree/bin/main",)),
        ("mode-owner", "a program that its owner alone may execute", ("chmod 700 tree/bin/main",)),
        (
            "origin-small",
            "$origin in small letters is no token",
            ("$PATCHELF --set-rpath '$origin/../lib' tree/bin/main",),
        ),
        (
            "origin-longer",
            "$ORIGINAL is no token; the folder after it counts",
            ("$PATCHELF --set-rpath '$ORIGINAL:$ORIGIN/../lib' tree/bin/main",),
        ),
        (
            "needed-lib",
            "a needed name with $LIB, against the folder in which it is started",
            ("$PATCHELF --replace-needed libvalue.so '$LIB/../libvalue.so' tree/bin/main",),
        ),
        (
            "filter-there",
            "the library filters one that is there",
            (
                "$CC -shared -fPIC value.c -Wl,-soname,libreal.so -o tree/lib/libreal.so",
                built_later("value.c", "-Wl,-F,libreal.so -Wl,-rpath,'$ORIGIN'"),
            ),
        ),
        (
            "depaudit",
            "the library names an auditing library that is not there",
            (built_later("value.c", "-Wl,--depaudit,libabsent.so"),),
        ),
    )
)
# Debian's Tiny C writes EABI 4 into what it compiles; drafts of the same ABI had 1 to 3.
ROWS += tuple(
    Row(
        f"place-eabi-{version}-{which}",
        f"the header of the {which} says EABI {version}",
        (*PLAIN, POKE.format(version, 39).replace("lib/libvalue.so", file)),
        machines=(ARM,),
        undecidable=OLD_ABI if not version else "",
    )
    for version in (0, 3, 4)
    for which, file in (("library", "lib/libvalue.so"), ("program", "bin/main"))
)
