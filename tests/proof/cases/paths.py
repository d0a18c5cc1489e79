"""Where the loader looks: RPATH, RUNPATH, $ORIGIN, names with a slash, files that are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAF = "int leaf(void) { return 0; }\n"
MID = "int leaf(void);\nint mid(void) { return leaf(); }\n"
MAIN = "int mid(void);\nint main(void) { return mid(); }\n"
BOTH = "int mid(void);\nint leaf(void);\nint main(void) { return leaf() + mid(); }\n"
OPEN = (
    "#include <dlfcn.h>\n#include <stdio.h>\n"
    'int main(void) { if (!dlopen("NAME", RTLD_NOW)) { puts(dlerror()); return CODE; }'
    " return 0; }\n"
)

RUNPATH = "-Wl,--enable-new-dtags,-rpath,"
RPATH = "-Wl,--disable-new-dtags,-rpath,"
UP = "'$ORIGIN/../lib'"
HERE = "'$ORIGIN'"

# libleaf, libmid on it, main on libmid; `{}` takes what each of the three is linked with.
LEAF_LINE = "$CC -shared -fPIC leaf.c -Wl,-soname,libleaf.so {} -o tree/lib/libleaf.so"
MID_LINE = (
    "$CC -shared -fPIC mid.c -Ltree/lib -lleaf -Wl,-soname,libmid.so {} -o tree/lib/libmid.so"
)
MAIN_LINE = "$CC main.c -Ltree/lib -lmid -Wl,-rpath-link,tree/lib {} -o tree/bin/main"


@dataclass(frozen=True, slots=True)
class Chain:
    """A row of the table below: three files, each with its own path, and what is done after."""

    name: str
    what: str
    leaf: str = ""
    mid: str = ""
    main: str = f"{RUNPATH}{UP}"
    after: tuple[str, ...] = ()
    program: str = MAIN
    everywhere: bool = False  # started from more than one folder


CHAINS = (
    Chain("runpath-each", "RUNPATH on the program and on the library", mid=f"{RUNPATH}{HERE}"),
    Chain("runpath-not-inherited", "RUNPATH on the program alone; the library has none"),
    Chain("rpath-inherited", "RPATH on the program alone; the library has none", main=RPATH + UP),
    Chain("none", "no path at all", main=""),
    Chain(
        "rpath-but-runpath",
        "RPATH on the program, which a library with a RUNPATH of its own does not see",
        mid=f"{RUNPATH}'$ORIGIN/elsewhere'",
        main=RPATH + UP,
    ),
    Chain("rpath-of-library", "RPATH on the library, RUNPATH on the program", mid=RPATH + HERE),
    Chain(
        "loaded-already",
        "the library without a path needs what the program has loaded before",
        main=f"-Wl,--no-as-needed -lleaf {RUNPATH}{UP}",
        program=BOTH,
    ),
    Chain(
        "soname-not-file",
        "the file is not called as its soname says",
        mid=f"{RUNPATH}{HERE} -Wl,-soname,libmid.so.1",
    ),
    Chain(
        "soname-link",
        "the file is called otherwise, and a symbolic link has the soname",
        mid=f"{RUNPATH}{HERE} -Wl,-soname,libmid.so.1",
        after=("ln -s libmid.so tree/lib/libmid.so.1",),
    ),
    Chain(
        "soname-link-dangles",
        "a symbolic link has the soname, and leads nowhere",
        mid=f"{RUNPATH}{HERE} -Wl,-soname,libmid.so.1",
        after=("ln -s libmid.so.1.2 tree/lib/libmid.so.1",),
    ),
    Chain(
        "soname-loaded",
        "a file of another name was loaded before whose soname is what is needed",
        leaf="-Wl,-soname,libleaf.so.2",
        main=f"-Wl,--no-as-needed -lleaf {RUNPATH}{UP}",
        after=(
            "mv tree/lib/libleaf.so tree/lib/libother.so",
            "$PATCHELF --replace-needed libleaf.so.2 libother.so tree/bin/main",
        ),
        program=BOTH,
    ),
    Chain(
        "missing",
        "a library that is not there",
        mid=f"{RUNPATH}{HERE}",
        after=("rm tree/lib/libleaf.so",),
    ),
    Chain(
        "text-for-library",
        "a text file in the place of a library",
        mid=f"{RUNPATH}{HERE}",
        after=("echo INPUT libleaf > tree/lib/libleaf.so",),
    ),
    Chain(
        "empty-for-library",
        "an empty file in the place of a library",
        mid=f"{RUNPATH}{HERE}",
        after=(": > tree/lib/libleaf.so",),
    ),
    Chain(
        "folder-for-library",
        "a folder in the place of a library",
        mid=f"{RUNPATH}{HERE}",
        after=("rm tree/lib/libleaf.so", "mkdir tree/lib/libleaf.so"),
    ),
    Chain(
        "wrong-machine-first",
        "a library of another machine comes first in the path, the right one after it",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}'$ORIGIN/../wrong:$ORIGIN/../lib'",
        after=("mkdir tree/wrong", "$OTHER -shared -fPIC mid.c -nostdlib -o tree/wrong/libmid.so"),
    ),
    Chain(
        "text-first",
        "a text file comes first in the path, the library after it",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}'$ORIGIN/../wrong:$ORIGIN/../lib'",
        after=("mkdir tree/wrong", "echo text > tree/wrong/libmid.so"),
    ),
    Chain(
        "older-first",
        "an older library without the function comes first in the path",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}'$ORIGIN/../old:$ORIGIN/../lib'",
        after=(
            "mkdir tree/old",
            "$CC -shared -fPIC -x c /dev/null -Wl,-soname,libmid.so -o tree/old/libmid.so",
        ),
    ),
    Chain(
        "absolute-away",
        "an absolute RUNPATH of the build folder",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}/build/lib",
    ),
    Chain(
        "lib-token",
        "$LIB in a RUNPATH: lib/ and the triple on Debian",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}'$ORIGIN/../$LIB'",
        after=("mkdir tree/lib/$TRIPLE", "mv tree/lib/*.so tree/lib/$TRIPLE"),
    ),
    Chain(
        "lib-token-wrong",
        "$LIB in a RUNPATH, and the libraries in lib/ itself",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}'$ORIGIN/../$LIB'",
    ),
    Chain(
        "braces",
        "${ORIGIN} in braces",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}'${{ORIGIN}}/../lib'",
    ),
    Chain(
        "nodefaultlib",
        "-z nodefaultlib: the board's own directories are not looked at",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}{UP} -Wl,-z,nodefaultlib",
    ),
    Chain(
        "working-directory",
        "a RUNPATH of '.', which is where the program is started",
        mid=f"{RUNPATH}{HERE}",
        main=f"{RUNPATH}.",
        everywhere=True,
    ),
    Chain(
        "slash-absolute",
        "a library without soname, linked by its path in the build folder",
        mid=f"{RUNPATH}{HERE}",
        after=("$PATCHELF --replace-needed libmid.so /build/lib/libmid.so tree/bin/main",),
    ),
    Chain(
        "slash-origin",
        "a needed name of $ORIGIN and a slash",
        mid=f"{RUNPATH}{HERE}",
        main="",
        after=("$PATCHELF --replace-needed libmid.so '$ORIGIN/../lib/libmid.so' tree/bin/main",),
    ),
    Chain(
        "slash-relative",
        "a needed name with a slash, against the folder in which the program is started",
        mid=f"{RUNPATH}{HERE}",
        after=("$PATCHELF --replace-needed libmid.so lib/libmid.so tree/bin/main",),
        everywhere=True,
    ),
    Chain(
        "unreadable",
        "a library that is there and nobody needs has no permission to be read",
        mid=f"{RUNPATH}{HERE}",
        after=("cp tree/lib/libleaf.so tree/lib/libspare.so", "chmod 0 tree/lib/libspare.so"),
    ),
)

OPENED = (
    ("there", "libleaf.so", "dlopen by a literal name, found by the program's RPATH", RPATH + UP),
    ("runpath", "libleaf.so", "dlopen by a literal name, found by its RUNPATH", RUNPATH + UP),
    (
        "nowhere",
        "libabsent.so.4",
        "dlopen of what nobody has: the program does without",
        RPATH + UP,
    ),
)
CODES = {"there": "3", "runpath": "3", "nowhere": "0"}


def cases() -> Iterator[Case]:
    for number, chain in enumerate(CHAINS):
        for machine in (ARM, AARCH64):
            compiler = ("gcc12", "gcc14", "clang19")[number % 3]
            if any("PATCHELF" in line for line in chain.after) or compiler == "clang19":
                compiler = "clang19" if "PATCHELF" not in str(chain.after) else "gcc12"
            yield _chain(chain, machine, compiler)
    for name, library, what, path in OPENED:
        for machine in (ARM, AARCH64):
            yield Case(
                f"{machine}-path-dlopen-{name}",
                machine,
                "gcc12",
                what,
                {
                    "leaf.c": LEAF,
                    "main.c": OPEN.replace("NAME", library).replace("CODE", CODES[name]),
                },
                (
                    LEAF_LINE.format(""),
                    f"$CC main.c -ldl {path} -o tree/bin/main",
                ),
            )


def _chain(chain: Chain, machine: str, compiler: str) -> Case:
    name = f"{machine}-path-{chain.name}"
    return Case(
        name,
        machine,
        compiler,
        chain.what,
        {"leaf.c": LEAF, "mid.c": MID, "main.c": chain.program},
        (
            LEAF_LINE.format(chain.leaf),
            MID_LINE.format(chain.mid),
            MAIN_LINE.format(chain.main),
            *chain.after,
        ),
        everywhere=chain.everywhere,
    )
