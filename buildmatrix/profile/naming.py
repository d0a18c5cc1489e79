"""C++ functions by the names that people call them by."""

from __future__ import annotations

import re

LONGEST = 24  # characters of a template's arguments that are worth reading
ENDING = re.compile(r"( const| volatile| &+| \[clone [^]]*\]| \[abi:[^]]*\])+$")
# An operator's own brackets are part of its name, and a namespace without one has brackets too.
TOKEN = re.compile(
    r"operator(?:\(\)|\[\]|<=>|<<=?|>>=?|->\*?|[<>]=?)|\(anonymous namespace\)|.", re.DOTALL
)
PAIRS = {"<": ">", "(": ")"}


def spoken(name: str) -> str:
    """A C++ function without its arguments, and without long ones of a template.

    >>> spoken("void caffe::im2col_cpu<float>(float const*, int)")
    'void caffe::im2col_cpu<float>'
    >>> spoken("f(int)::{lambda(int)#1}::operator()(int) const")
    'f::{lambda#1}::operator()'
    """
    levels = [("", "")]  # of brackets that are open: which one, and the text since
    for match in TOKEN.finditer(ENDING.sub("", name)):
        token = match[0]
        opened, text = levels[-1]
        if token in PAIRS:
            levels.append((token, ""))
        elif opened and token == PAIRS[opened]:
            levels.pop()
            outer, before = levels[-1]
            levels[-1] = outer, before + _closed(opened, text, outermost=len(levels) == 1)
        else:
            word = "anonymous" if token == "(anonymous namespace)" else token
            levels[-1] = opened, text + word
    return "".join(opened + text for opened, text in levels).strip()


def _closed(opened: str, text: str, *, outermost: bool) -> str:
    """What is left of a pair of brackets."""
    if outermost and opened == "(":
        return ""
    short = "…" if outermost and len(text) > LONGEST else text
    return f"{opened}{short}{PAIRS[opened]}"
