"""A project's models: each read, by its name, from model.yaml and what that names."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import extras, schema, shelf
from buildmatrix import network as networks
from buildmatrix.errors import InputError, did_you_mean
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.network import (
    ImportedNetwork,
    NetworkSpec,
    QuantizedNetwork,
    VariantSpec,
    origin,
)
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.workload import Workload

PACKAGE = Path(__file__).parent.parent

MOST_VALUES = 1 << 29  # float32 of 2 GiB, the most that protobuf takes (protobuf.dev, limits)


def network(root: Path, name: str, document: schema.Document, state: Path | None) -> NetworkSpec:
    """The model `name`, which `document` asks for, of a project in `root`. In the folder `state`
    lies what was read of models that stand in files.

    Raises InputError for what is written, and for a file that is not read.
    """
    folders = shelf.folders(root, "models")
    if name not in folders:
        near = did_you_mean(name, [*folders])
        brief = f"no model '{name}'{near}; there are: {', '.join(folders)}"
        half = (root / "models" / name).is_dir()
        hint = f"models/{name} has no model.yaml; `inv models` lists what there is" if half else ""
        raise document.fault(("bench", "model"), brief, hint=hint)
    return _Reading(root, folders, state).network(name)


class _Reading:
    """Models while they are read: one may be made out of another."""

    def __init__(self, root: Path, folders: dict[str, Path], state: Path | None) -> None:
        self.root = root
        self.folders = folders
        self.state = state
        self.open: list[str] = []  # variants that are being read

    def network(self, name: str) -> NetworkSpec:
        path = shown(self.folders[name] / "model.yaml")
        written = schema.read(path)
        one = written.build(_kind(written.data))
        if one.name != name:
            raise InputError(
                f"the model in folder '{name}' calls itself '{one.name}'",
                where=str(path),
                hint="give both the same name: results and cells are found by it",
            )
        if isinstance(one, VariantSpec):
            return self.variant(one, written)
        if isinstance(one, NetworkSpec):
            _check_written(one, written)
            return one
        net = _described(one, path, self.state)
        networks.shapes(net)  # a layer that does not fit is an input error: say so before any build
        return net

    def variant(self, one: VariantSpec, written: schema.Document) -> NetworkSpec:
        from buildmatrix.pruning import pruned

        self.open.append(one.name)
        if one.of in self.open:
            chain = " of ".join([*self.open, one.of])
            raise written.fault(("of",), f"it is made out of itself: {chain}")
        if one.of not in self.folders:
            near = did_you_mean(one.of, [*self.folders])
            raise written.fault(("of",), f"no model '{one.of}'{near}")
        whole = self.network(one.of)
        if isinstance(whole, QuantizedNetwork):
            brief = f"{one.of} is quantized: its layers are not read, and no filter can go"
            raise written.fault(("of",), brief, hint="name the model before it was quantized")
        net = pruned(one, whole)
        self.open.pop()
        return net


def _check_written(net: NetworkSpec, written: schema.Document) -> None:
    """Raise InputError for a layer that does not fit, that nothing reads, or with more values than
    a model's file can have: no build could make it."""
    steps = networks.steps(net)
    read = {name for step in steps for name in step.reads}
    weights = {name: prod(shape) for name, shape, _ in networks.parameter_shapes(net)}
    for i, step in enumerate(steps):
        name = step.layer.name
        if name not in read and i + 1 < len(steps):
            brief = f"no layer reads {name}: it has no part in the output"
            raise written.fault(("layers", i), brief, hint="name it under `inputs`, or remove it")
        if max(prod(step.before), prod(step.after), weights.get(name, 0)) > MOST_VALUES:
            brief = f"{name} has more than {MOST_VALUES:,} values or weights"
            raise written.fault(("layers", i), brief)


def _kind(data: object) -> type[NetworkSpec | FileNetworkSpec | VariantSpec]:
    keys = data if isinstance(data, dict) else {}
    return FileNetworkSpec if "from" in keys else VariantSpec if "of" in keys else NetworkSpec


def importers(net: Workload) -> dict[str, str]:
    """Of a network out of a file, or a variant of one: what that file is, and what reads it."""
    if not isinstance(net, NetworkSpec):
        return {}
    file = origin(net)
    if not isinstance(file, ImportedNetwork):
        return {}
    reader = digest(PACKAGE, *modules("imported"))
    if isinstance(file, QuantizedNetwork):
        extras.require("litert")
        return {**file.files, "reader": reader, "LiteRT": version("ai-edge-litert")}
    return {**file.files, "reader": reader, "onnxruntime": version("onnxruntime")}


def _described(one: FileNetworkSpec, path: Path, state: Path | None) -> NetworkSpec:
    if state is None:
        from buildmatrix.imported import described

        return described(one, path.parent)
    from buildmatrix.imported.remembered import recalled

    shapes = ("layers.py", "sizes.py", "network.py", "reference.py")
    digests = digest(PACKAGE, *modules("imported"), *shapes)
    reader = "-".join((digests, *(version(name) for name in ("onnx", "onnxruntime", "numpy"))))
    return recalled(one, path.parent, reader=reader, records=State(state).networks)


def digest(folder: Path, *names: str) -> str:
    """One hash over files of ours that shape an artifact."""
    total = hashlib.sha256()
    for name in names:
        total.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def modules(package: str) -> Iterable[str]:
    """The modules of a package of ours, as paths below it, in order."""
    return sorted(f"{package}/{path.name}" for path in (PACKAGE / package).glob("*.py"))


def shown(path: Path) -> Path:
    """Relative to the working folder when it is below it: shorter in messages."""
    cwd = Path.cwd()
    return path.relative_to(cwd) if path.is_relative_to(cwd) else path
