"""A command: an Invoke task whose flags, help and errors are as all commands have them."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeVar

from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from buildmatrix import extras
from buildmatrix.cli import certificates
from buildmatrix.cli.common import spoken
from buildmatrix.errors import BuildmatrixError, UsageError
from buildmatrix.printable import printable

F = TypeVar("F", bound="Callable[..., None]")

COMMON_HELP = {
    "matrix": "the matrix file (default: matrix.yaml)",
    "only": "glob on cell ids; repeatable",
    "model": "which of the matrix's models (default: the first, or that of the cells of --only)",
    "json": "a versioned JSON document on stdout; progress goes to stderr",
    "state": "where everything is kept (default: .buildmatrix beside the matrix)",
}

# A letter means one thing, whichever command it stands behind; all other flags have none.
SHORT = {"matrix": "m", "only": "o", "host": "H", "jobs": "j", "dry-run": "n"}


class Like(Argument):
    """An argument of a command as Invoke made it."""

    def __init__(self, made: Argument) -> None:
        super().__init__(
            names=made.names,
            kind=made.kind,
            default=made.default,
            help=made.help,
            positional=made.positional,
            optional=made.optional,
            attr_name=made.attr_name,
        )


class Word(Like):
    """A word that a command wants. Invoke takes whatever stands there for it, a flag as well."""

    def __init__(self, command: str, made: Argument) -> None:
        super().__init__(made)
        self.command = command

    def set_value(self, value: Any, cast: bool = True) -> None:
        if value in ("--help", "-h"):
            os.execv(sys.executable, [sys.executable, "-m", "invoke", "--help", self.command])
        if isinstance(value, str) and value.startswith("-"):
            first = f"buildmatrix: {self.command} {value}: {self.names[0].upper()} comes first"
            raise Exit(spoken(f"{first}\nnext: inv {self.command} --help"), UsageError.exit_code)
        super().set_value(value, cast)


class Number(Like):
    """A flag that wants a whole number. Invoke's own ends in a traceback when it gets another."""

    def set_value(self, value: Any, cast: bool = True) -> None:
        try:
            super().set_value(value, cast)
        except ValueError:
            words = f"buildmatrix: --{self.names[0]}: '{value}' is not a whole number"
            raise Exit(printable(words), UsageError.exit_code) from None


class Command(Task[Callable[..., None]]):
    """An Invoke task whose short flags are the ones above, where Invoke takes what is left over,
    and whose help can be asked for twice."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        texts = dict(self.help)
        arguments = super().get_arguments(ignore_unknown_help)
        self.help = texts  # Invoke takes out of it what it hands over
        return [self._ours(one) for one in arguments]

    def _ours(self, made: Argument) -> Argument:
        if made.positional:
            return Word(self.name, made)
        return Number(made) if made.kind is int else made

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        options = super().arg_opts(name, default, taken_names)
        long = options["names"][0]
        options["names"] = [long, *([SHORT[long]] if long in SHORT else [])]
        return options


def command(explained: dict[str, str] | None = None, **options: Any) -> Callable[[F], Any]:
    """An Invoke task whose errors become one message and one exit code. Nothing else exits.

    `explained` is help for flags of its own; the common ones know theirs.
    """

    def decorate(body: F) -> Any:
        @functools.wraps(body)
        def guarded(*arguments: Any, **settings: Any) -> None:
            signal.signal(signal.SIGTERM, _interrupt)  # clean up as for Ctrl-C
            try:
                certificates.settle(os.environ)
                body(*arguments, **settings)
                sys.stdout.flush()
            except BuildmatrixError as error:
                raise Exit(spoken(printable(f"buildmatrix: {error}")), error.exit_code) from None
            except KeyboardInterrupt:
                raise Exit("buildmatrix: interrupted; what was finished is kept", 130) from None
            except BrokenPipeError:  # `inv cells | head`
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise Exit("", 141) from None
            except OSError as failure:
                refusal = _explained(failure, [*arguments, *settings.values()])
                raise Exit(printable(f"buildmatrix: {refusal}"), refusal.exit_code) from None
            except ModuleNotFoundError as absent:
                gap = extras.explained(absent)
                raise Exit(f"buildmatrix: {gap}", gap.exit_code) from None

        return task(**options, klass=Command, help=_help(body, explained or {}))(guarded)

    return decorate


def _help(body: Callable[..., None], explained: dict[str, str]) -> dict[str, str]:
    flags = inspect.signature(body).parameters
    texts = {**COMMON_HELP, **explained}
    return {flag: text for flag, text in texts.items() if flag.replace("-", "_") in flags}


def _explained(failure: OSError, words: Iterable[object]) -> BuildmatrixError:
    """`words` are what the command was given: any of them may name a folder to write to."""
    import tempfile
    from pathlib import Path

    from buildmatrix.disk import explained

    named = [word for word in words if isinstance(word, str) and word]
    places = [*named, os.environ.get("BUILDMATRIX_STATE", ""), tempfile.gettempdir()]
    return explained(failure, [Path(place).absolute() for place in places])


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
