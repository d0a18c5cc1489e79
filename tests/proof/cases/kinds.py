"""Names that the library has otherwise than the program was linked for."""

from __future__ import annotations

from tests.proof.cases.row import PLAIN, WITH, Row, built_later
from tests.proof.cases.symbols import LIB, MAIN, MAP, PROGRAM

IGNORE = "-Wl,--unresolved-symbols=ignore-all"
NEVER = "int nobody(void);\nint value(void) { return 0; }\nint other(void) { return nobody(); }\n"
ROWS = (
    Row(
        "tls-ordinary",
        "a thread-local name that the library has as an ordinary one today",
        (*PLAIN, built_later("ordinary.c")),
        {
            "value.c": "__thread int cell = 7;\nint value(void) { return cell; }\n",
            "ordinary.c": "int cell = 7;\nint value(void) { return cell; }\n",
            "main.c": "extern __thread int cell;\nint value(void);\n"
            "int main(void) { return value() - cell; }\n",
        },
    ),
    Row(
        "ordinary-tls",
        "an ordinary name that the library has as a thread-local one today",
        (*PLAIN, built_later("local.c")),
        {
            "value.c": "int cell = 7;\nint value(void) { return cell; }\n",
            "local.c": "__thread int cell = 7;\nint value(void) { return cell; }\n",
            "main.c": "extern int cell;\nint value(void);\n"
            "int main(void) { return value() - cell; }\n",
        },
    ),
    Row(
        "tls-both",
        "a thread-local name on both sides",
        files={
            "value.c": "__thread int cell = 7;\nint value(void) { return cell; }\n",
            "main.c": "extern __thread int cell;\nint value(void);\n"
            "int main(void) { return value() - cell; }\n",
        },
    ),
    Row(
        "tls-gone",
        "a thread-local name that the library no longer has",
        (*PLAIN, built_later("gone.c")),
        {
            "value.c": "__thread int cell = 7;\nint value(void) { return cell; }\n",
            "gone.c": "int value(void) { return 7; }\n",
            "main.c": "extern __thread int cell;\nint value(void);\n"
            "int main(void) { return value() - cell; }\n",
        },
    ),
    Row(
        "copy-smaller",
        "a variable with room in the program is smaller in the library today",
        (
            LIB.format("value.c"),
            PROGRAM.format("-no-pie -fno-pic"),
            built_later("small.c"),
        ),
        {
            "value.c": "int cell[4] = {7};\nint value(void) { return cell[0]; }\n",
            "small.c": "int cell[2] = {7};\nint value(void) { return cell[0]; }\n",
            "main.c": "extern int cell[4];\nint value(void);\n"
            "int main(void) { return value() - cell[0]; }\n",
        },
    ),
    Row(
        "copy-gone",
        "a variable with room in the program is not in the library any more",
        (LIB.format("value.c"), PROGRAM.format("-no-pie -fno-pic"), built_later("gone.c")),
        {
            "value.c": "int cell = 7;\nint value(void) { return cell; }\n",
            "gone.c": "int value(void) { return 7; }\n",
            "main.c": "extern int cell;\nint value(void);\n"
            "int main(void) { return value() - cell; }\n",
        },
    ),
    Row(
        "version-added",
        "the library has got versions since the program was linked",
        (*PLAIN, built_later("value.c", "-Wl,--version-script,one.map")),
        {**WITH, **MAP},
    ),
    Row(
        "version-hidden",
        "the name has only a hidden version today, and the program asks for none",
        (*PLAIN, built_later("hidden.c", "-Wl,--version-script,one.map")),
        {
            **WITH,
            **MAP,
            "hidden.c": '__asm__(".symver value_, value@ONE");\nint value_(void) { return 0; }\n',
        },
    ),
    Row(
        "never-called",
        "the library lacks a name in a function that nobody calls",
        (LIB.format("value.c -Wl,-z,lazy"), PROGRAM.format(f"-Wl,-z,lazy {IGNORE}")),
        {"value.c": NEVER, "main.c": MAIN},
    ),
    Row(
        "ifunc",
        "the library chooses its function when it is loaded",
        files={
            "value.c": "static int one(void) { return 0; }\n"
            "static int (*choose(void))(void) { return one; }\n"
            'int value(void) __attribute__((ifunc("choose")));\n',
            "main.c": MAIN,
        },
    ),
    Row(
        "copy-protected",
        "a variable with room in the program is protected in the library today",
        (LIB.format("value.c"), PROGRAM.format("-no-pie -fno-pic"), built_later("protected.c")),
        {
            "value.c": "int cell = 7;\nint value(void) { return cell -= 7; }\n",
            "protected.c": '__attribute__((visibility("protected"))) int cell = 7;\n'
            "int value(void) { return cell -= 7; }\n",
            "main.c": "extern int cell;\nint value(void);\n"
            "int main(void) { return value() + cell; }\n",
        },
        undecidable="who writes the variable of which there are two decides its code",
    ),
    Row(
        "copy-protected-unchanged",
        "the same, and nobody writes it",
        (LIB.format("value.c"), PROGRAM.format("-no-pie -fno-pic"), built_later("protected.c")),
        {
            "value.c": "int cell = 7;\nint value(void) { return cell; }\n",
            "protected.c": '__attribute__((visibility("protected"))) int cell = 7;\n'
            "int value(void) { return cell; }\n",
            "main.c": "extern int cell;\nint value(void);\n"
            "int main(void) { return value() - cell; }\n",
        },
        undecidable="who writes the variable of which there are two decides its code",
    ),
    Row(
        "ifunc-nothing",
        "the library's resolver chooses no function",
        files={
            "value.c": "static int (*choose(void))(void) { return 0; }\n"
            'int value(void) __attribute__((ifunc("choose")));\n',
            "main.c": MAIN,
        },
    ),
    Row(
        "ifunc-nothing-own",
        "the program's own resolver chooses no function",
        ("$CC main.c -o tree/bin/main",),
        {
            "main.c": "static int (*choose(void))(void) { return 0; }\n"
            'int value(void) __attribute__((ifunc("choose")));\n' + MAIN,
        },
    ),
    Row(
        "ifunc-nothing-static",
        "the same, static",
        ("$CC -static main.c -o tree/bin/main",),
        {
            "main.c": "static int (*choose(void))(void) { return 0; }\n"
            'int value(void) __attribute__((ifunc("choose")));\n' + MAIN,
        },
    ),
    Row(
        "ifunc-nothing-idle",
        "the library's resolver of another function chooses none",
        files={
            "value.c": "static int (*choose(void))(void) { return 0; }\n"
            'int other(void) __attribute__((ifunc("choose")));\n'
            "int value(void) { return 0; }\n",
            "main.c": MAIN,
        },
    ),
)
