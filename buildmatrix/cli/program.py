"""`buildmatrix` on Invoke's parser: a command line as people type it, and its faults in words."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from buildmatrix.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXAMPLES = {
    "audit": ("audit dot-neon-true", "audit libfoo.so --target pi4-64", "audit foo.whl --json"),
    "agree": ("agree", "agree --only 'caffe-*'"),
    "bench": ("bench --host pi --collect", "bench --host pi --only 'dot-*' --batches 1,8"),
    "bisect": (
        "bisect caffe-openblas-0.3.34 0.3.21 0.3.34 --source openblas --host pi",
        "bisect CELL 1.0 1.4 --source mylib --versions 1.0,1.1,1.2,1.3,1.4 --host pi",
    ),
    "build": ("build", "build --only 'dot-*' --jobs 4", "build --frozen"),
    "cells": ("cells", "cells --only 'caffe-*' --json"),
    "compare": ("compare previous latest", "compare dot-neon-false dot-neon-true"),
    "completion": ("completion bash", "completion zsh", "completion fish"),
    "deploy": ("deploy --host pi", "deploy --host pi --dry-run", "deploy --host pi --rollback"),
    "device": (
        "device up --kind pi3-counted --name pi",
        "device trust --host pi.local",
        "device list",
    ),
    "doctor": ("doctor",),
    "gc": ("gc --dry-run", "gc --unused-days 7 --images", "gc --at-most-gib 20"),
    "get": ("get dot-neon-true --out dot", "get dot-neon-true --tar dot.tar.gz"),
    "history": ("history", "history --every-run --out site"),
    "init": ("init mylib", "init net --from net.onnx", "init . --ci github"),
    "models": ("models", "models --copy lenet-5"),
    "nightly": ("nightly --host pi", "nightly --accept"),
    "plan": ("plan", "plan --only dot-neon-true"),
    "profile": ("profile dot-neon-true --host pi", "profile dot-neon-false dot-neon-true"),
    "recipes": ("recipes", "recipes --copy openblas"),
    "report": ("report", "report --out page --format html", "report --bundle dot-neon-true"),
    "schema": ("schema --out .schemas",),
    "shell": ("shell dot-neon-true",),
    "sources": ("sources", "sources --archives folder"),
    "toolchains": ("toolchains", "toolchains --copy armv7hf-bookworm"),
    "why": ("why dot-neon-true",),
}


class BuildmatrixProgram(Program):
    """Invoke's program with our exit code for a command line that cannot be read."""

    def parse_core(self, argv: Any) -> None:
        commands = list(self.namespace.task_names) if self.namespace else []
        self._usage(super().parse_core, rewritten(list(argv or sys.argv), commands))

    def parse_tasks(self) -> None:
        self._usage(super().parse_tasks)

    def run(self, argv: Any = None, exit: bool = True) -> None:  # Invoke's word
        try:
            super().run(argv, exit)
        except BrokenPipeError:  # `buildmatrix --help | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(141) from None

    def print_help(self) -> None:
        """All commands with a line each; Invoke's own settings are left out."""
        self.stdout("Usage: buildmatrix COMMAND [--flags], or buildmatrix COMMAND --help\n")
        self.stdout("Begin a project with: buildmatrix init NAME\n")
        self.list_tasks()

    def print_task_help(self, name: str) -> None:
        """What a command does, how it is called, and its flags."""
        context = self.parser.contexts[name]
        words = " ".join(str(one.name).upper() for one in context.positional_args)
        self.stdout(f"Usage: buildmatrix {name} {words + ' ' if words else ''}[--flags]\n")
        self.stdout((self.collection[name].__doc__ or "").strip() + "\n")
        if examples := EXAMPLES.get(name):
            self.stdout("Examples:")
            self.stdout("\n".join(f"  buildmatrix {one}" for one in examples) + "\n")
        self.stdout("Flags:")
        self.print_columns(context.help_tuples())

    def stdout(self, text: str) -> None:
        sys.stdout.write(text + "\n")

    def _usage(self, parse: Callable[..., None], *arguments: Any) -> None:
        try:
            parse(*arguments)
        except ParseError as error:
            raise Exit(self._explained(error), 2) from None
        except ValueError as error:  # of int(), which Invoke calls for a flag that is a number
            word = str(error).rpartition(": ")[2]
            raise Exit(f"buildmatrix: {word} is not a whole number", 2) from None

    def _explained(self, error: ParseError) -> str:
        """What is wrong, the nearest thing that exists, and where to look."""
        command = error.context.name if error.context else None
        word = str(error).partition("'")[2].partition("'")[0]
        if not str(error).startswith("No idea what"):
            return f"buildmatrix: {error}\nnext: buildmatrix {command or ''} --help"
        commands = list(self.namespace.task_names) if self.namespace else []
        there, where = commands, "--list"
        if command and word.startswith("-") and error.context:
            there = [f"--{name.lstrip('-')}" for name in error.context.flag_names()]
            where = f"{command} --help"
        return f"buildmatrix: {error}{did_you_mean(word, there)}\nnext: buildmatrix {where}"


def rewritten(argv: Sequence[str], commands: Sequence[str]) -> list[str]:
    """A command line as Invoke reads it, from one as people type it.

    >>> rewritten(["buildmatrix", "audit", "--help"], ["audit"])
    ['buildmatrix', '--help', 'audit']
    >>> rewritten(["buildmatrix", "audit", "-h"], ["audit"])
    ['buildmatrix', '--help', 'audit']
    >>> rewritten(["buildmatrix", "help"], ["audit"])
    ['buildmatrix', '--help']
    >>> rewritten(["buildmatrix", "init"], ["init"])
    ['buildmatrix', 'init', '.']
    """
    program, *words = argv
    command = next((word for word in words if word in commands), "")
    if words[:1] == ["help"]:
        return [program, "--help", *words[1:2]]
    if command and words[0] == command and not {"--help", "-h"}.isdisjoint(words):
        return [program, "--help", command]
    if words[:1] == ["init"] and (len(words) == 1 or words[1].startswith("-")):
        return [program, "init", ".", *words[1:]]  # Invoke knows no optional positional argument
    return [program, *words]
