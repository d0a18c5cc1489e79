"""Networks out of files in a framework's own format: their layers, weights and golden answer.

`described` reads the layers, which decide what a network costs and which stacks can take it;
`golden` reads the weights too, and holds the reference against the file's own engine.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.network import ImportedNetwork, InputSpec, QuantizedNetwork, input_shape

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.imported.spec import FileNetworkSpec
    from buildmatrix.reference import F32, F64, Parameters

CHUNK = 1 << 20


def described(spec: FileNetworkSpec, folder: Path) -> ImportedNetwork:
    """The network in the file that `spec` names, which lies in `folder`.

    Raises InputError for a file that cannot be read, with the operator and node that is unknown.
    """
    return read(spec, folder)[0]


def read(spec: FileNetworkSpec, folder: Path) -> tuple[ImportedNetwork, tuple[Parameters, ...]]:
    """The same, and what its layers have learnt."""
    from buildmatrix import reference
    from buildmatrix.imported import convert, quantized, simplify

    path = folder / spec.file
    given = spec.input
    named = [name for name in (spec.values, spec.calibration, spec.held_out) if name]
    if (graph := quantized.opened(path)) is not None:
        files = {name: sha256(folder / name) for name in (spec.file, *named)}
        return quantized.described(spec, folder, graph, files), ()
    size = (given.channels, given.height, given.width) if given else None
    simplified = simplify.simplified(path, size=size, output=spec.output)
    shape, layers, parameters, _ = convert.converted(simplified, str(path))
    names = [spec.file, *simplified.files, *named]
    net = ImportedNetwork(
        version=spec.version,
        name=spec.name,
        summary=spec.summary,
        input=InputSpec(channels=shape.channels, height=shape.height, width=shape.width),
        seed=spec.seed,
        tolerance=spec.tolerance,
        layers=layers,
        folder=folder,
        files={name: sha256(folder / name) for name in names},
        values=spec.values,
        calibration=spec.calibration,
        held_out=spec.held_out,
        output=spec.output,
        denormals=reference.denormals(parameters),
    )
    return net, parameters


def sha256(path: Path) -> str:
    """Of a file's content. Raises InputError when it is not there."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                total.update(chunk)
    except OSError as fault:
        brief = f"it cannot be read: {fault.strerror}"
        raise InputError(brief, where=str(path), hint="put it beside model.yaml") from None
    return total.hexdigest()


def golden(net: ImportedNetwork) -> tuple[tuple[Parameters, ...], F32, F64]:
    """Weights, the image, and the answer: by our reference in float64, which must agree with what
    onnxruntime, in float32, makes of the file itself. Of a quantized file no weights, and LiteRT's
    answer, on which its kernels must agree. Raises InputError when they do not."""
    if isinstance(net, QuantizedNetwork):
        return _passed(net)
    parameters, image, expected, error = answered(net)
    if not telling(expected):
        raise untelling(net, expected)
    allowed = net.tolerance.get("float32", max(net.tolerance.values()))
    if not error <= allowed:
        raise InputError(
            f"onnxruntime's answer differs from the reference's by {error:.1e}, "
            f"and {allowed:.1e} is tolerated",
            where=str(net.file),
            hint="raise the tolerance if the network loses so much in float32, "
            "or give it an input that is like those it was made for: `values: image.npy`",
        )
    return parameters, image, expected


def answered(net: ImportedNetwork) -> tuple[tuple[Parameters, ...], F32, F64, float]:
    """Weights, the image, the reference's answer in float64, and how far from it that of
    onnxruntime in float32 is. Raises InputError for a file that changed."""
    from buildmatrix import reference
    from buildmatrix.imported import convert, simplify

    _check_same(net)
    image = picture(net)
    simplified = simplify.simplified(
        net.file, size=tuple(input_shape(net)), output=net.output, image=image
    )
    read = convert.converted(simplified, str(net.file))
    assert read.layers == net.layers
    expected = reference.forward(net, read.parameters, image)
    assert simplified.answer is not None
    error = reference.max_relative_error(read.turned(simplified.answer), expected)
    return read.parameters, image, expected, error


def telling(expected: F64) -> bool:
    """Whether an answer is one that a stack which computes nothing, or nonsense, does not give."""
    import numpy as np

    return bool(expected.any() and np.isfinite(expected).all())


def untelling(net: ImportedNetwork, expected: F64) -> InputError:
    """The error for an answer that no other could be judged by."""
    what = "not finite" if expected.any() else "zeros alone"
    return InputError(
        f"its answer to the image is {what}, so no other could be judged by it",
        where=str(net.file),
        hint="give it an image that is like those it was made for: `values: image.npy` in "
        "model.yaml, or another `seed:` to draw one from",
    )


def _passed(net: QuantizedNetwork) -> tuple[tuple[Parameters, ...], F32, F64]:
    from buildmatrix.imported import litert

    _check_same(net)
    image = picture(net)
    expected = litert.answer(net, image, "BUILTIN_REF")
    own = litert.answer(net, image, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
    allowed = net.tolerance["int8"]
    if not (apart := litert.apart(net, expected, own)) <= allowed:
        unit = " steps" if net.step else ""
        raise InputError(
            f"two kinds of LiteRT's kernels differ by {apart:.2g}{unit}, "
            f"and {allowed:.2g} is tolerated",
            where=str(net.file),
            hint="raise the tolerance of int8, "
            "or give it an input that is like those it was made for: `values: image.npy`",
        )
    return (), image, expected


def _check_same(net: ImportedNetwork) -> None:
    for name, was in net.files.items():
        if sha256(net.folder / name) != was:
            raise InputError("it changed while it was read", where=str(net.folder / name))


def picture(net: ImportedNetwork) -> F32:
    """The image of the .npy file that model.yaml names, or the seeded one."""
    from buildmatrix import reference

    if not net.values and isinstance(net, QuantizedNetwork):
        from buildmatrix.imported import litert

        return litert.drawn(net, reference.image(net))
    if not net.values:
        return reference.image(net)
    one: F32 = _images(net, net.values, several=False)[0]
    return one


def calibration(net: ImportedNetwork) -> F32:
    """The images of the .npy file that model.yaml names for it: (count, channels, height, width).

    Raises InputError for a file of anything else.
    """
    return _images(net, net.calibration, several=True)


def held_out(net: ImportedNetwork) -> tuple[F32, tuple[int, ...]]:
    """Pictures that the network has not learnt from, (count, channels, height, width), and for each
    the number of the output that is right.

    Raises InputError for a file of anything else.
    """
    import numpy as np

    path = net.folder / net.held_out
    try:
        with np.load(path, allow_pickle=False) as arrays:
            pictures, labels = arrays["pictures"], arrays["labels"]
    except (OSError, ValueError, KeyError) as fault:
        brief = f"it is no .npz file with pictures and labels: {fault}"
        raise InputError(brief, where=str(path)) from None
    count, shape = labels.size, input_shape(net)
    if pictures.shape != (count, *shape) or not np.issubdtype(pictures.dtype, np.floating):
        sizes = "x".join(map(str, pictures.shape))
        raise InputError(
            f"its {pictures.dtype} pictures of {sizes} are not {count} of {shape}, in floats",
            where=str(path),
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"its labels are {labels.dtype}, not whole numbers", where=str(path))
    return np.ascontiguousarray(pictures, np.float32), tuple(labels.ravel().tolist())


def _images(net: ImportedNetwork, name: str, *, several: bool) -> F32:
    """Those of a .npy file, channels first; as many as there are, or one."""
    import numpy as np

    path = net.folder / name
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as fault:
        raise InputError(f"it is no .npy file: {fault}", where=str(path)) from None
    shape = input_shape(net)
    count = values.shape[0] if several and values.ndim == 4 else 1
    if not np.issubdtype(values.dtype, np.number) or values.size != count * np.prod(shape):
        raise InputError(
            f"its {values.dtype} values of {'x'.join(map(str, values.shape))} are no "
            f"{'images' if several else 'image'} of {shape}",
            where=str(path),
        )
    channels, height, width = shape
    if values.shape[-3:] == (height, width, channels) != shape:  # in the order of the file itself
        values = np.moveaxis(values.reshape(count, height, width, channels), -1, 1)
    return np.ascontiguousarray(values.reshape(count, *shape), np.float32)
