"""completion: what a shell has to know of the commands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import program
from buildmatrix.cli.shells import SHELLS, Command, Flag, Values
from buildmatrix.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from invoke.collection import Collection


@command({"shell": "bash, zsh or fish"}, positional=["shell"])
def completion(_c: Any, shell: str) -> None:
    """Print a completion script for bash, zsh or fish: commands, flags, cells, boards."""
    from buildmatrix.cli import namespace

    if shell not in SHELLS:
        near = did_you_mean(shell, [*SHELLS])
        raise UsageError(f"no script for {shell}{near}", hint=f"one of {', '.join(SHELLS)}")
    sys.stdout.write(SHELLS[shell](table(namespace), program()))


def table(namespace: Collection) -> tuple[Command, ...]:
    """Every command with its flags and what may stand behind each."""
    known, unknown = _values(), Values()

    def values(name: str, argument: Any) -> Values:
        place = argument.names[0]
        return known.get((name, place)) or known.get(("", place)) or unknown

    def flag(name: str, argument: Any) -> Flag:
        long, *short = argument.names
        taken = values(name, argument) if argument.takes_value else None
        repeatable = argument.kind is list
        return Flag(long, "".join(short), argument.help or "", taken, repeatable=repeatable)

    commands = []
    for name in sorted(namespace.task_names):
        task = namespace[name]
        arguments = task.get_arguments()
        summary = (task.__doc__ or "").strip().partition("\n")[0]
        places = tuple(values(name, a) for a in arguments if a.positional)
        flags = tuple(flag(name, a) for a in arguments if not a.positional)
        commands.append(Command(name, summary, flags, places))
    return tuple(commands)


def _values() -> dict[tuple[str, str], Values]:
    """(command, or none for all; flag or word) to what may stand there. Of figures nothing is
    offered, so they are not in it."""
    from buildmatrix.baseline import kinds as boards
    from buildmatrix.cli.devices import ACTIONS
    from buildmatrix.cli.results import FORMATS
    from buildmatrix.pipeline import starting
    from buildmatrix.virtual.firmware import KINDS as FIRMWARE
    from buildmatrix.virtual.kinds import KINDS

    cells, files = Values(nouns=("cells",)), Values(files=True)
    runs = Values(words=("previous", "latest"), nouns=("cells",))
    recipes, models = Values(nouns=("recipes",)), Values(nouns=("models",))
    toolchains = Values(nouns=("toolchains",))
    return {
        **{("", place): cells for place in ("only", "cell", "bundle")},
        **{("", place): files for place in ("matrix", "out", "tar", "archives", "mirror", "state")},
        **{("compare", place): runs for place in ("base", "new")},
        ("audit", "subject"): Values(nouns=("cells",), files=True),
        ("", "host"): Values(nouns=("hosts",)),
        ("", "model"): models,
        ("recipes", "copy"): recipes,
        ("models", "copy"): models,
        ("toolchains", "copy"): toolchains,
        ("toolchains", "only"): toolchains,
        ("audit", "target"): Values(tuple(boards.names()), nouns=("toolchains",)),
        ("device", "kind"): Values(words=tuple(KINDS)),
        ("firmware", "kind"): Values(words=tuple(FIRMWARE)),
        ("device", "action"): Values(words=tuple(ACTIONS)),
        ("report", "format"): Values(words=FORMATS),
        ("report", "against"): Values(words=("study",)),
        ("init", "name"): files,
        ("init", "from"): files,
        ("init", "ci"): Values(words=tuple(starting.PIPELINES)),
        ("init", "example"): Values(words=starting.EXAMPLES),
        ("completion", "shell"): Values(words=tuple(SHELLS)),
    }


TASKS = (completion,)
