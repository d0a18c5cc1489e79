"""The completion scripts in the shells they are for: what is offered where a key is pressed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.commands import run

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.nightly  # zsh and fish are installed for it

BASH = """
source "$1"
line=$2
read -ra COMP_WORDS <<<"$line"
[[ $line == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_buildmatrix
printf '%s\\n' "${COMPREPLY[@]}"
"""
# A shell in a terminal of its own, for completion is a matter of its line editor. Every `compadd`
# writes down what it would offer.
ZSH = """
zmodload zsh/zpty
cat >"$3/rc" <<'RC'
autoload -Uz compinit && compinit -D -u
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a offered
  builtin compadd -O offered "$@"
  print -rl -- $offered >>"$OFFERED"
  builtin compadd "$@"
}
close() { print 'THE-END' }
comppostfuncs=(close)
bindkey '^I' complete-word
RC
zpty shell zsh -f -i
zpty -w shell "source ${(q)3}/rc; source ${(q)1}; OFFERED=${(q)3}/offered; print READY''NOW"
zpty -r shell line '*READYNOW*'
zpty -n -w shell "$2"$'\\t'
zpty -r shell line '*THE-END*'
[ ! -e "$3/offered" ] || cat "$3/offered"
"""
FISH = 'source $argv[1]; complete -C "$argv[2]" | cut -f1'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, and a `buildmatrix` beside it that is this tree's."""
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "bin" / "buildmatrix"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m buildmatrix "$@"\n')
    program.chmod(0o755)
    assert run("init", "lib", cwd=folder).returncode == 0
    with (folder / "lib" / "matrix.yaml").open("a") as matrix:
        matrix.write("devices:\n  desk: {host: desk.local}\n")
    return folder / "lib"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("buildmatrix bui", {"build"}),
        ("buildmatrix build --fr", {"--frozen"}),
        ("buildmatrix build --only dot-neon-", {"dot-neon-false", "dot-neon-true"}),
        ("buildmatrix why dot-neon-t", {"dot-neon-true"}),
        ("buildmatrix deploy --host ", {"desk"}),
        ("buildmatrix device up --kind pi3-c", {"pi3-counted"}),
        ("buildmatrix device tr", {"trust"}),
        ("buildmatrix report --format m", {"markdown"}),
        ("buildmatrix models --copy len", {"lenet-5", "lenet-5-digits"}),
        ("buildmatrix build --jobs ", set[str]()),
    ],
)
def test_what_may_stand_there_is_offered(
    shell: str, line: str, offered: set[str], project: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(run("completion", shell, cwd=project).stdout)
    argv = {
        "bash": ["bash", "--norc", "-c", BASH, "bash"],
        "zsh": ["zsh", "-f", "-c", ZSH, "zsh"],
        "fish": ["fish", "--no-config", "-c", FISH],
    }[shell]
    environment = {
        **os.environ,
        "PATH": f"{project.parent / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "TERM": "xterm",
    }
    done = subprocess.run(
        [*argv, str(script), line, *([str(tmp_path)] if shell == "zsh" else [])],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert {word.removesuffix("=") for word in done.stdout.split()} == offered, done.stderr
