"""Other people's words made safe to print: a board's, a build's, a mirror's, a file name's."""

from __future__ import annotations

import re

# What a terminal obeys instead of showing: C0 and C1 controls but tab and line feed, and the marks
# that turn the reading direction (Unicode Standard Annex 9, the explicit formatting characters).
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# RFC 3986, 3.2.1, and what people write: a password with an @ that is not %40, a ? that ends the
# host, or a / that ends it; before that stands no port. Bounds keep a megabyte of them linear.
USERINFO = re.compile(r"(?<=://)(?:[^/\s]+|[^/\s:]{0,64}:(?!\d{1,5}/)\S{0,256})@")
# Code hosts and object stores take them behind the address too.
PARAMETER = re.compile(
    r"([?&;](?:[\w.-]{0,40}(?:token|secret|password|passwd|signature|credential|api[-_]?key|auth)"
    r"[\w.-]{0,40}|sig|key|pwd)=)[^&;#\s'\"]*[^&;#\s'\":,.]",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    """The text with every character that a terminal would obey shown as its code.

    >>> printable("red \\x1b[31m alert\\x07")
    'red <1b>[31m alert<07>'
    """
    return OBEYED.sub(lambda match: f"<{ord(match[0]):02x}>", text)


def without_credentials(text: str) -> str:
    """The text with the credentials of every address in it replaced.

    >>> without_credentials("fetch https://me:secret@host.example/a.tar failed")
    'fetch https://***@host.example/a.tar failed'
    >>> without_credentials("https://host.example/a.tar?ref=1&private_token=secret")
    'https://host.example/a.tar?ref=1&private_token=***'
    """
    return PARAMETER.sub(r"\1***", USERINFO.sub("***@", text))


def escape(text: str) -> str:
    """The text for rich's markup, in which it means itself."""
    from rich.markup import escape as escape_markup

    return escape_markup(printable(text))
