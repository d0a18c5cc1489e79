"""The flags that settings of a run have, made from the one list of settings."""

from __future__ import annotations

import functools
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, get_origin

from buildmatrix.errors import UsageError
from buildmatrix.run_settings import NAMES, SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Given: TypeAlias = "Mapping[str, object]"  # settings by name, as `Settings.overruled` takes them
GIVEN = "given"  # the parameter that the flags stand for
NONE: Given = MappingProxyType({})


def explained(names: Sequence[str] = NAMES) -> dict[str, str]:
    """Help for the flags of these settings, by parameter."""
    return {one.flag: _help(one) for one in SETTINGS if one.name in names}


def _help(setting: Setting) -> str:
    if setting.switch:
        return setting.switch.meaning
    return f"{setting.meaning}; {setting.spelt}" if setting.spelt else setting.meaning


def with_flags(
    names: Sequence[str] = NAMES,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command a flag for each of these settings, where its parameter `given` stands.

    Its body gets there a dict of what was given, as `Settings.overruled` takes it. Raises
    UsageError for a flag that cannot be read.
    """
    chosen = {one.flag: one for one in SETTINGS if one.name in names}

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(body)
        def read(*arguments: Any, **flags: Any) -> None:
            words = {flag: flags.pop(flag) for flag in chosen if flag in flags}
            body(*arguments, **flags, **{GIVEN: given(chosen, words)})

        read.__signature__ = _expanded(body, chosen)  # type: ignore[attr-defined] # Invoke reads it
        return read

    return decorate


def _expanded(body: Callable[..., None], chosen: Mapping[str, Setting]) -> inspect.Signature:
    """The signature of `body` with one parameter for each flag in place of `given`."""
    signature = inspect.signature(body)
    flags = [
        inspect.Parameter(
            flag,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=False if setting.switch else None,
        )
        for flag, setting in chosen.items()
    ]
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        parameters += flags if name == GIVEN else [parameter]
    return signature.replace(parameters=parameters)


def given(chosen: Mapping[str, Setting], flags: Mapping[str, Any]) -> Given:
    """The settings that were given, by name; `flags` are the words of the command line."""
    return {
        chosen[flag].name: _value(chosen[flag], value)
        for flag, value in flags.items()
        if value not in (None, "", False)
    }


def _value(setting: Setting, text: str) -> object:
    if setting.switch:
        return setting.switch.value
    if setting.type is str:
        return text
    share, _, most = text.partition(":")
    if setting.until and "%" in share:  # '1%' or '1%:30'
        limit = {"at_most": _numbers(setting, most)[0]} if most else {}
        return {"until": share.strip(), **limit}
    numbers = _numbers(setting, text)
    return numbers if get_origin(setting.type) is list else numbers[0]


def _numbers(setting: Setting, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()] or [int(text)]
    except ValueError:
        many = get_origin(setting.type) is list
        example = "whole numbers, as 1,2,4" if many else "a whole number"
        flag = setting.flag.replace("_", "-")
        raise UsageError(f"--{flag} {text}: write {example}") from None
