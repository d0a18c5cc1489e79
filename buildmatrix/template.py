"""Templates: sandboxed Jinja2 in which a missing name is an error and every value is quoted.

A value reaches a shell script through `shlex.quote`; a list becomes quoted words. The filter
`raw` is the one way round it, and easy to find in a review.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from buildmatrix.errors import InputError, did_you_mean

Quote = Callable[[str], str]

_WORDS = (str, int, PurePath)


class _Raw(str):
    """Text that has been quoted already, or is meant as it stands."""

    __slots__ = ()


def cmake_quote(value: str) -> str:
    """A CMake bracket argument: nothing inside it is expanded. It may not hold `]==]`."""
    return f"[==[{value}]==]"


# What an expression in a template can raise: 1 // 0, [][0], range(10 ** 9), "a" * 10 ** 12.
FAULTS = (
    *(jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError),
    *(RecursionError, MemoryError),
)


class _Missing(jinja2.StrictUndefined):
    """A name that is not there, told with those that are: jinja2 says 'dict object'."""

    def __init__(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if isinstance(obj, Mapping):
            there = [str(one) for one in obj]
            hint = (
                f"no {name!r}{did_you_mean(name, there)}; there are: {', '.join(there) or 'none'}"
            )
        super().__init__(hint, obj, name, exc)


@dataclass(frozen=True, slots=True)
class Template:
    """A template that has been read and compiled, to be filled in any number of times."""

    shown: str  # how messages name it
    compiled: jinja2.Template

    def render(self, context: Mapping[str, object]) -> str:
        """The filled-in text. Raises InputError with file:line for every fault."""
        try:
            return self.compiled.render(context)
        except FAULTS as error:
            where = f"{self.shown}:{_line_of(error, self.shown)}"
            raise InputError(f"template: {error}", where=where) from None


def load(path: Path, *, quote: Quote = shlex.quote) -> Template:
    """Read one template file. Raises InputError with file:line when it is not well formed."""
    shown = str(path)
    try:
        return Template(shown, _compiled(path.read_text(), shown, quote))
    except jinja2.TemplateSyntaxError as error:
        raise InputError(f"template: {error.message}", where=f"{shown}:{error.lineno}") from None
    except (OSError, UnicodeError, RecursionError) as error:
        raise InputError(f"template cannot be read: {error}", where=shown) from None


def render(path: Path, context: Mapping[str, object], *, quote: Quote = shlex.quote) -> str:
    """Render one template file. Raises InputError with file:line for every fault in it."""
    return load(path, quote=quote).render(context)


@functools.cache
def _environment(quote: Quote) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=_Missing,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=lambda value: _quoted(value, quote),
    )
    environment.filters["raw"] = _Raw
    return environment


@functools.lru_cache(maxsize=256)
def _compiled(source: str, shown: str, quote: Quote) -> jinja2.Template:
    """Compiling costs a thousand times what filling in does, so equal text is compiled once."""
    environment = _environment(quote)
    code = environment.compile(source, shown, shown)
    return jinja2.Template.from_code(environment, code, environment.make_globals(None))


def page(path: Path, context: Mapping[str, object]) -> str:
    """Render one HTML template of ours: every value is escaped, `safe` is the one way round it."""
    return _compiled_page(path.read_text(encoding="utf-8")).render(context)


@functools.lru_cache(maxsize=8)
def _compiled_page(source: str) -> jinja2.Template:
    """A site has one template for all of its pages."""
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    return environment.from_string(source)


def _quoted(value: object, quote: Quote) -> str:
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, _WORDS):
        return quote(str(value))
    if isinstance(value, Iterable):
        return " ".join(_quoted(item, quote) for item in value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be written into a script")


def _line_of(error: BaseException, name: str) -> int:
    """Jinja2 rewrites the traceback so that a frame carries the template's own line."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
