"""Words of OpenSSH's files as ssh takes them: lines, quotes, comments, tokens, patterns, times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYWORD = re.compile(r'[\s"]*([^\s"=]+)"?(?:\s*=)?\s*(.*)', re.DOTALL)
_TIME = re.compile(r"(\d+)([smhdw]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ESCAPED = frozenset("'\"\\")


def keyword(line: str) -> tuple[str, str]:
    """The keyword of a line in small letters, and what follows it; ("", "") for none.

    >>> keyword('  Port = 7 # old'), keyword("# Port 7")
    (('port', '7 # old'), ('', ''))
    """
    matched = _KEYWORD.match(line.rstrip())
    if matched is None or matched[1].startswith("#"):
        return "", ""
    return matched[1].lower(), matched[2]


def split(text: str) -> list[str]:
    r"""The arguments of a line, up to a comment. Raises ValueError for a quote without its end.

    A backslash stands for itself but before a quote, a backslash, and a space outside quotes.

    >>> split('"a b" c\\ d e#f # g')
    ['a b', 'c d', 'e#f']
    """
    words: list[str] = []
    place = _behind_spaces(text, 0)
    while place < len(text) and text[place] != "#":
        word, place = _word(text, place)
        words.append(word)
        place = _behind_spaces(text, place)
    return words


def _behind_spaces(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t"):
        place += 1
    return place


def _word(text: str, place: int) -> tuple[str, int]:
    """The word that begins at a place, unquoted, and the place behind it."""
    word, quote = [], ""
    while place < len(text):
        letter = text[place]
        after = text[place + 1 : place + 2]
        if letter == "\\" and (after in _ESCAPED or (after == " " and not quote)) and after:
            word.append(after)
            place += 1
        elif letter in " \t" and not quote:
            break
        elif letter in "'\"" and quote in ("", letter):
            quote = "" if quote else letter
        else:
            word.append(letter)
        place += 1
    if quote:
        raise ValueError(f"{text}: a quote without its end")
    return "".join(word), place


def replaced(text: str, tokens: Mapping[str, str]) -> str:
    """`text` with its %-tokens replaced. Raises ValueError naming one that is not known here."""

    def token(match: re.Match[str]) -> str:
        if match[1] not in tokens:
            raise ValueError(f"%{match[1]} in {text} is not known here; write it out")
        return tokens[match[1]]

    return re.sub(r"%(.?)", token, text) if "%" in text else text


def wild(pattern: str, text: str) -> bool:
    """Whether `text` is what `pattern` with * and ? means; not fnmatch: here [ is only itself.

    No regular expression, which would try each * at every letter: `*?*?*?…` against a long name
    took longer than anybody waits, and so did the making of an expression for each of many.

    >>> wild("*.l?n", "pi.lan"), wild("a*b*b", "ab"), wild("[a]", "a")
    (True, False, False)
    """
    first, *pieces = pattern.split("*")
    if not pieces:
        return len(first) == len(text) and _found(first, text, 0, 0) == 0
    *pieces, last = pieces
    place, end = len(first), len(text) - len(last)
    if end < place or _found(first, text, 0, 0) or _found(last, text, end, end) != end:
        return False
    for piece in pieces:  # what stands leftmost leaves most for those behind it
        place = _found(piece, text, place, end - len(piece))
        if place < 0:
            return False
        place += len(piece)
    return True


def _found(piece: str, text: str, first: int, last: int) -> int:
    """The leftmost place of a piece, in which ? is any letter, that is from `first` to `last`; -1
    for none."""
    if "?" not in piece:
        return text.find(piece, first, max(last, -len(piece)) + len(piece))
    for place in range(first, last + 1):
        letters = text[place : place + len(piece)]
        if all(one in ("?", letter) for one, letter in zip(piece, letters, strict=True)):
            return place
    return -1


def listed(patterns: str, text: str) -> bool:
    """Whether one of the patterns between commas means `text`, and none that begins with ! does.

    >>> listed("*.lan,!old.*", "pi.lan"), listed("*.lan,!old.*", "old.lan"), listed("!a", "b")
    (True, False, False)
    """
    matched = False
    for pattern in patterns.split(","):
        if wild(pattern.removeprefix("!"), text):
            if pattern.startswith("!"):
                return False
            matched = True
    return matched


def seconds(text: str) -> float:
    """A time as in sshd_config(5), TIME FORMATS. Raises ValueError for what is none.

    >>> seconds("1h30m"), seconds("7")
    (5400.0, 7.0)
    """
    parts = _TIME.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"'{text}' is no time")
    return float(sum(int(number) * _SECONDS[unit.lower()] for number, unit in parts))
