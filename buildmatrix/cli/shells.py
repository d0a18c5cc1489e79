"""Completion scripts for bash, zsh and fish, from a table of the commands.

A script holds commands and flags, which only a new version changes; names of a project (cells,
boards, what it may name) are asked of the program when the key is pressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from buildmatrix.completion import Noun


@dataclass(frozen=True, slots=True)
class Values:
    """What may stand in a place: fixed words, names of the project, files."""

    words: tuple[str, ...] = ()
    nouns: tuple[Noun, ...] = ()
    files: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `short` may be empty; a flag without `values` takes none."""

    name: str
    short: str
    summary: str
    values: Values | None = None
    repeatable: bool = False

    @property
    def spellings(self) -> tuple[str, ...]:
        return (f"--{self.name}", *([f"-{self.short}"] if self.short else []))


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its flags, and what its words without a flag may be, in order."""

    name: str
    summary: str
    flags: tuple[Flag, ...]
    places: tuple[Values, ...] = ()


BASH = """\
# buildmatrix' completion for bash: eval "$$($program completion bash)" in ~/.bashrc
_buildmatrix_names() { # $$@: nouns; the matrix and state folder that the line names
  local noun i matrix= state=$${BUILDMATRIX_STATE:-}
  for ((i = 1; i < COMP_CWORD; i++)); do
    case $${COMP_WORDS[i]} in
      --matrix | -m) matrix=$${COMP_WORDS[i + 1]} ;;
      --state) state=$${COMP_WORDS[i + 1]} ;;
    esac
  done
  for noun in "$$@"; do buildmatrix --complete "$$noun" "$$matrix" "$$state" 2>/dev/null; done
}
_buildmatrix() {
  local word=$${COMP_WORDS[COMP_CWORD]} before=$${COMP_WORDS[COMP_CWORD - 1]} words=
  if [ "$$word" = = ]; then
    word=
  elif [ "$$before" = = ]; then
    before=$${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  if [ "$$COMP_CWORD" -eq 1 ]; then
    words='$commands --help --list --version'
  else
    case "$${COMP_WORDS[1]} $$before" in
$values
      *)
        case "$${COMP_WORDS[1]} $$word" in
$flags
$places
        esac
        ;;
    esac
  fi
  while IFS= read -r line; do COMPREPLY+=("$$line"); done < <(compgen -W "$$words" -- "$$word")
}
complete -o default -F _buildmatrix $program
"""

ZSH = """\
#compdef $program
# buildmatrix' completion for zsh: eval "$$($program completion zsh)" in ~/.zshrc, after compinit
_buildmatrix_names() { # $$@: nouns
  local noun matrix=$${opt_args[--matrix]:-$${opt_args[-m]:-}}
  local state=$${opt_args[--state]:-$${BUILDMATRIX_STATE:-}}
  local -a names
  for noun in "$$@"; do
    names+=($${(f)"$$(buildmatrix --complete $$noun "$$matrix" "$$state" 2>/dev/null)"})
  done
  compadd -a names
}
_buildmatrix() {
  local -A opt_args
  local -a commands=(
$commands
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $$words[1] in
$cases
  esac
}
if [ "$$funcstack[1]" = _buildmatrix ]; then
  _buildmatrix "$$@"
else
  compdef _buildmatrix $program
fi
"""

FISH = """\
# buildmatrix' completion for fish: $program completion fish | source
function __buildmatrix_names
    set -l line (commandline -opc)
    set -l matrix ''
    set -l state "$$BUILDMATRIX_STATE"
    for i in (seq (count $$line))
        switch $$line[$$i]
            case --matrix -m
                set matrix "$$line[(math $$i + 1)]"
            case --state
                set state "$$line[(math $$i + 1)]"
        end
    end
    for noun in $$argv
        buildmatrix --complete $$noun "$$matrix" "$$state" 2>/dev/null
    end
end
complete -c $program -f
$rows
"""


def bash(commands: tuple[Command, ...], program: str) -> str:
    """The script for bash, whose words have no explanations."""
    rows = {"values": "", "flags": "", "places": ""}
    for one in commands:
        for flag in one.flags:
            if flag.values is not None:
                names = " | ".join(f'"{one.name} {spelling}"' for spelling in flag.spellings)
                rows["values"] += f"      {names}) {_bash_words(flag.values)} ;;\n"
        spelled = " ".join(f"--{flag.name}" for flag in one.flags)
        rows["flags"] += f"          \"{one.name} -\"*) words='{spelled} --help' ;;\n"
        if one.places:
            rows["places"] += f'          "{one.name} "*) {_bash_words(_any(one.places))} ;;\n'
    names = " ".join(one.name for one in commands)
    parts = {part: text.rstrip("\n") for part, text in rows.items()}
    return Template(BASH).substitute(parts, commands=names, program=program)


def _any(places: tuple[Values, ...]) -> Values:
    """What may stand in any of the places."""
    return Values(
        tuple(dict.fromkeys(word for place in places for word in place.words)),
        tuple(dict.fromkeys(noun for place in places for noun in place.nouns)),
        files=any(place.files for place in places),
    )


def _bash_words(values: Values) -> str:
    fixed = " ".join(values.words)
    asked = f"$(_buildmatrix_names {' '.join(values.nouns)})" if values.nouns else ""
    return f'words="{" ".join(filter(None, (fixed, asked)))}"'


def zsh(commands: tuple[Command, ...], program: str) -> str:
    """The script for zsh."""
    listed = "\n".join(f"    {_quoted(f'{one.name}:{one.summary}')}" for one in commands)
    cases = "\n".join(
        f"    {one.name}) _arguments -s {' '.join(map(_quoted, _zsh_specs(one)))} ;;"
        for one in commands
    )
    return Template(ZSH).substitute(commands=listed, cases=cases, program=program)


def _zsh_specs(one: Command) -> Iterator[str]:
    for flag in one.flags:
        summary = "".join(f"\\{sign}" if sign in "[]:\\" else sign for sign in flag.summary)
        repeated = "*" if flag.repeatable else ""
        for spelling in flag.spellings:
            taken = "" if flag.values is None else f":{flag.name}:{_zsh_action(flag.values)}"
            equals = "=" if taken and spelling.startswith("--") else ""
            yield f"{repeated}{spelling}{equals}[{summary}]{taken}"
    yield "--help[what it does, and its flags]"
    for number, place in enumerate(one.places, 1):
        yield f"{number}: :{_zsh_action(place)}"


def _zsh_action(values: Values) -> str:
    """
    >>> _zsh_action(Values(nouns=("cells",), files=True))
    '_alternative "n\\\\: \\\\: _buildmatrix_names cells" "f\\\\: \\\\:_files"'
    """
    ways = []
    if values.words:
        ways.append(f"({' '.join(values.words)})")
    if values.nouns:
        ways.append(f" _buildmatrix_names {' '.join(values.nouns)}")  # a space: only these words
    if values.files:
        ways.append("_files")
    if len(ways) < 2:
        return ways[0] if ways else " "
    listed = (f'"{tag}\\: \\:{way}"' for tag, way in zip("nfw", ways, strict=False))
    return f"_alternative {' '.join(listed)}"


def fish(commands: tuple[Command, ...], program: str) -> str:
    """The script for fish, a line for each command, flag and place."""
    rows = []
    for one in commands:
        rows.append(f"-n __fish_use_subcommand -a {one.name} -d {_quoted(one.summary)}")
        seen = f"-n '__fish_seen_subcommand_from {one.name}'"
        for flag in one.flags:
            short = f" -s {flag.short}" if flag.short else ""
            taken = "" if flag.values is None else f" {_fish_taken(flag.values)}"
            rows.append(f"{seen} -l {flag.name}{short}{taken} -d {_quoted(flag.summary)}")
        if one.places:
            place = _any(one.places)
            rows.append(f"{seen}{' -F' if place.files else ''} -a {_fish_words(place)}")
    lines = "\n".join(f"complete -c {program} {row}" for row in rows)
    return Template(FISH).substitute(rows=lines, program=program)


def _fish_taken(values: Values) -> str:
    words = f" -a {_fish_words(values)}" if values.words or values.nouns else ""
    return f"{'-r -F' if values.files else '-x'}{words}"


def _fish_words(values: Values) -> str:
    asked = f"(__buildmatrix_names {' '.join(values.nouns)})" if values.nouns else ""
    return _quoted(" ".join(filter(None, (*values.words, asked))))


def _quoted(text: str) -> str:
    """As one word of any of the three shells.

    >>> print(_quoted("the matrix's"))
    'the matrix'\\''s'
    """
    return "'" + text.replace("'", "'\\''") + "'"


SHELLS: Mapping[str, Callable[[tuple[Command, ...], str], str]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
}
