"""`buildmatrix` on Invoke's parser: a command line as people type it, and its faults in words."""

from __future__ import annotations

import os
import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from buildmatrix.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NO_VALUE = re.compile(r"Flag <Argument: (\S+?)[ >].*needed value and was not given one!")
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
    "firmware": ("firmware", "firmware --kind mps2-an500 --json"),
    "gc": ("gc --dry-run", "gc --unused-days 7 --images", "gc --at-most-gib 20"),
    "get": ("get dot-neon-true --out dot", "get dot-neon-true --tar dot.tar.gz"),
    "history": ("history", "history --every-run --out site"),
    "init": ("init mylib", "init net --from net.onnx", "init . --ci github"),
    "models": ("models", "models --copy lenet-5"),
    "nightly": ("nightly --host pi", "nightly --accept"),
    "plan": ("plan", "plan --only dot-neon-true"),
    "profile": ("profile dot-neon-true --host pi", "profile dot-neon-false dot-neon-true"),
    "estimate": ("estimate ncnn --as pi4", "estimate ncnn --as pi3 --threads 1 --explain"),
    "recipes": ("recipes", "recipes --copy openblas"),
    "report": ("report", "report --out page --format html", "report --bundle dot-neon-true"),
    "schema": ("schema --out .schemas",),
    "shell": ("shell dot-neon-true",),
    "sources": ("sources", "sources --archives folder"),
    "toolchains": ("toolchains", "toolchains --lock", "toolchains --copy armv7hf-bookworm"),
    "why": ("why dot-neon-true",),
}


class BuildmatrixProgram(Program):
    """Invoke's program with our exit code for a command line that cannot be read."""

    def parse_core(self, argv: Any) -> None:
        commands = list(self.namespace.task_names) if self.namespace else []
        words = rewritten(list(argv or sys.argv), commands)
        self._usage(super().parse_core, words)

    def parse_tasks(self) -> None:
        self._refuse_unknown_flags(self.core.unparsed)
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
        words_of = {str(one.name): one.help or "" for one in context.positional_args}
        if words_of:
            self.stdout("Words:")
            self.print_columns([(word.upper(), text) for word, text in words_of.items()])
        flags = {f"--{word}" for word in words_of}
        rows = [row for row in context.help_tuples() if row[0].partition("=")[0] not in flags]
        if rows:  # `completion` has none
            self.stdout("Flags:")
            self.print_columns(rows)

    def stdout(self, text: str) -> None:
        sys.stdout.write(text + "\n")

    def _refuse_unknown_flags(self, words: Sequence[str]) -> None:
        """Invoke takes a flag that a command does not have for the word that the command wants."""
        assert self.namespace is not None
        if not words or words[0] not in self.namespace.task_names:
            return
        command, *rest = words
        own = self.namespace[command].get_arguments()
        taking = {f"{'-' * (1 + (len(n) > 1))}{n}" for a in own if a.takes_value for n in a.names}
        known = [f"--{argument.names[0]}" for argument in own]
        before = ""
        for word in rest:
            if word in self.namespace.task_names and before not in taking:
                return  # another command begins
            flag = word.partition("=")[0]
            strange = flag.startswith("--") and flag not in ("--", "--help", *known)
            if strange and before not in taking:
                raise Exit(_no_flag(command, flag, known), 2)
            before = word

    def _usage(self, parse: Callable[..., None], *arguments: Any) -> None:
        try:
            parse(*arguments)
        except ParseError as error:
            raise Exit(self._explained(error), 2) from None

    def _explained(self, error: ParseError) -> str:
        """What is wrong, the nearest thing that exists, and where to look."""
        command = error.context.name if error.context else None
        word = str(error).partition("'")[2].partition("'")[0]
        if not str(error).startswith("No idea what"):
            words = NO_VALUE.sub(r"--\1 wants a value", str(error))
            return f"buildmatrix: {words}\nnext: buildmatrix {command or ''} --help"
        if command and error.context and word.startswith("-"):
            return _no_flag(command, word, list(error.context.flag_names()))
        commands = list(self.namespace.task_names) if self.namespace else []
        if command and error.context:
            only = f"{command} --only {word}" if "--only" in error.context.flag_names() else ""
            way = only or f"{command} --help"
            return f"buildmatrix: {error} {command} takes no such word\nnext: buildmatrix {way}"
        return f"buildmatrix: {error}{did_you_mean(word, commands)}\nnext: buildmatrix --list"


def _no_flag(command: str, flag: str, known: Sequence[str]) -> str:
    near = did_you_mean(flag, [*known])
    return f"buildmatrix: No idea what '{flag}' is!{near}\nnext: buildmatrix {command} --help"


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
    >>> rewritten(["buildmatrix", "init", "--from", "onnx", "net.onnx"], ["init"])
    ['buildmatrix', 'init', '.', '--from', 'net.onnx']
    """
    program, *words = argv
    command = next((word for word in words if word in commands), "")
    if words[:1] == ["help"]:
        return [program, "--help", *words[1:2]]
    if command and words[0] == command and not {"--help", "-h"}.isdisjoint(words):
        return [program, "--help", command]
    if words[:1] == ["init"] and (len(words) == 1 or words[1].startswith("-")):
        words.insert(1, ".")  # Invoke knows no optional positional argument
    if words[:1] == ["init"] and ("--from", "onnx") in pairwise(words[:-1]):
        words.remove("onnx")  # a file's ending tells its format; people say it all the same
    return [program, *words]
