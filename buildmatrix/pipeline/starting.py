"""A project that builds, from nothing: the files of a start, written into a folder."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from buildmatrix import shelf
from buildmatrix.errors import UsageError, did_you_mean
from buildmatrix.network import QuantizedNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.network import ImportedNetwork, InputSpec

STARTS = shelf.PACKAGE / "start"
EXAMPLES = ("library", "study")
SCHEMAS = ".schemas"  # of the files that people write, for editors
# What runs the pipelines -> where each file of `start/pipelines` goes.
PIPELINES: Mapping[str, Mapping[str, str]] = {
    "github": {
        "github-build.yml": ".github/workflows/build.yml",
        "github-nightly.yml": ".github/workflows/nightly.yml",
    },
    "gitlab": {"gitlab.yml": ".gitlab-ci.yml"},
}

TOLERANCES = (1e-4, 1e-3, 1e-2)  # of a network that is begun
SPARE = 5  # times that an engine's error may be another's
SEEDS = 4  # of images that are drawn until one tells something
LEAST_STEPS = 2  # of a quantized output, that an answer may be off
NOT_TELLING = "; its answer is at the ends of its numbers, so another image would tell more"

Files = dict[Path, bytes]


def example(name: str) -> Files:
    """The files of an example. Raises UsageError when there is none of that name."""
    if name not in EXAMPLES:
        near = did_you_mean(name, [*EXAMPLES])
        raise UsageError(f"no start '{name}'{near}", hint=f"there are: {', '.join(EXAMPLES)}")
    folder = STARTS / name
    there = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {_hidden(path.relative_to(folder)): path.read_bytes() for path in there}


def network(path: Path, size: InputSpec | None, output: str) -> Files:
    """The files of a project that measures the network in a file of somebody's own; `size` of one
    image, and which of several outputs, where the file leaves them open.

    Raises UsageError for a file of another format, InputError for one that is not read.
    """
    from buildmatrix.imported import described
    from buildmatrix.imported.spec import ENDINGS, FileNetworkSpec

    if path.suffix not in ENDINGS:
        there = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        raise UsageError(f"--from {path}: its format is not read", hint=f"{there} is")
    name = _name(path.stem)
    given = {"version": 1, "name": name, "summary": name, "from": path.name, "output": output}
    wanted = {"float32": 1e-4, "int8": 1.0}
    wish = FileNetworkSpec.model_validate({**given, "input": size, "tolerance": wanted})
    net = described(wish, path.parent)
    start, judged = _judged(net)
    words = {
        **judged,
        "model": name,
        "file": path.name,
        **net.input.model_dump(),
        "output": f"output: {output}\n" if output else "",
        "schema": "$schema",
    }
    texts = {one: (STARTS / start / one).read_text() for one in ("matrix.yaml", "model.yaml")}
    filled = {one: Template(text).safe_substitute(words) for one, text in texts.items()}
    home = Path("models", name)
    return {
        Path(".gitignore"): (STARTS / "network" / "gitignore").read_bytes(),
        Path("matrix.yaml"): filled["matrix.yaml"].encode(),
        home / "model.yaml": filled["model.yaml"].encode(),
        **{home / one: (path.parent / one).read_bytes() for one in net.files},
    }


def _judged(net: ImportedNetwork) -> tuple[str, dict[str, object]]:
    """Which start is a network's, and what it says of a right answer."""
    if not isinstance(net, QuantizedNetwork):
        seed, error = _telling(net)
        return "network", {
            "tolerance": f"{tolerance(error):.1e}",
            "error": f"{error:.0e}",
            "seed": f"seed: {seed} # the answers to those before it tell nothing\n" if seed else "",
        }
    from buildmatrix.imported import litert

    found = litert.surveyed(net)
    proposed = max(LEAST_STEPS, 2 * found.apart) if net.step else tolerance(found.apart)
    telling = "" if found.telling else NOT_TELLING
    return "quantized", {
        "tolerance": f"{proposed:.2g}",
        "error": f"{found.apart:.2g}",
        "worst": f"{found.worst:.2g}",
        "unit": f"In steps of {net.step:.3g}" if net.step else "Relative",
        "seed": found.seed,
        "telling": telling,
    }


def _telling(net: ImportedNetwork) -> tuple[int, float]:
    """The first seed whose image has an answer that tells something, and how far onnxruntime's is
    from it. Raises InputError where none of a few has."""
    from buildmatrix.imported import answered, telling, untelling

    seed = 0
    while True:
        *_, expected, error = answered(net.model_copy(update={"seed": seed}))
        if telling(expected):
            return seed, error
        seed += 1
        if seed == SEEDS:
            raise untelling(net, expected)


def tolerance(error: float) -> float:
    """What may be allowed where float32 loses so much in one engine: others lose some more.

    >>> tolerance(2e-7), tolerance(3e-5), tolerance(2e-4), tolerance(0.3)
    (0.0001, 0.001, 0.001, 0.01)
    """
    steps = [one for one in TOLERANCES if one >= SPARE * error]
    return min(steps, default=max(TOLERANCES))


def _name(stem: str) -> str:
    """A model's name out of a file's.

    >>> _name("ch_ppocr v2.0 (cls)"), _name("3d")
    ('ch_ppocr-v2.0-cls', 'net-3d')
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-_.")
    return plain if plain[:1].isalpha() else f"net-{plain}".rstrip("-")


def pipelines(service: str) -> Files:
    """The pipelines for a code host: build and audit at each push, and a night on a board.

    Raises UsageError when there are none for it.
    """
    if service not in PIPELINES:
        near = did_you_mean(service, [*PIPELINES])
        raise UsageError(f"--ci {service}{near}", hint=f"there are: {', '.join(PIPELINES)}")
    folder = STARTS / "pipelines"
    return {Path(to): (folder / name).read_bytes() for name, to in PIPELINES[service].items()}


def write(folder: Path, files: Files) -> tuple[Path, ...]:
    """Write files into a folder, which is made when it is not there; returns them, relative to it.

    Raises UsageError when a file is there already: none is written.
    """
    there = [str(path) for path in files if (folder / path).exists()]
    if there:
        raise UsageError(
            f"nothing is written, because this is there: {', '.join(there)}",
            where=str(folder),
            hint="run it in an empty folder, or name a new one: `inv init NAME`",
        )
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return tuple(files)


def _hidden(path: Path) -> Path:
    """A start has its .gitignore without the dot, or it would be one here."""
    return path.with_name(".gitignore") if path.name == "gitignore" else path
