"""CMSIS-NN: C that calls its q7 functions, and what they have to answer, bit for bit.

A microcontroller has no file to read a network from: the source is compiled into its program.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from buildmatrix.export.cmsis_places import function, placed
from buildmatrix.export.cmsis_source import header, source
from buildmatrix.export.q7 import numbers, quantized
from buildmatrix.export.q7_pass import passed
from buildmatrix.imported import held_out
from buildmatrix.network import ImportedNetwork, origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.export.cmsis_places import Placed
    from buildmatrix.export.q7 import Q7Network
    from buildmatrix.network import NetworkSpec
    from buildmatrix.reference import F32, Parameters

FACTS_FILE = "net.json"  # buffers, decimals and calls, for people and for the report
INPUT_FILE, ANSWER_FILE = "input.q7", "expected.q7"  # int8; an image has its channels last
PICTURES_FILE, ANSWERS_FILE = "held-out.q7", "held-out-expected.q7"  # the same, one after the other


def write(net: NetworkSpec, parameters: tuple[Parameters, ...], image: F32) -> Mapping[str, bytes]:
    """net.c, net.h and net.json; the image and the pictures held out, and the right answers."""
    whole = quantized(net, parameters)
    where = placed(whole.layers)
    files = {
        "net.h": header(net.name, whole.layers, where).encode(),
        "net.c": source(net.name, whole.layers, where).encode(),
        FACTS_FILE: (json.dumps(_facts(whole, where), indent=1) + "\n").encode(),
    }
    files[INPUT_FILE], files[ANSWER_FILE] = _answered(whole, (image,))
    trained = origin(net)
    if isinstance(trained, ImportedNetwork) and trained.held_out:
        pictures, _ = held_out(trained)
        files[PICTURES_FILE], files[ANSWERS_FILE] = _answered(whole, pictures)
    return files


def _answered(whole: Q7Network, pictures: Iterable[F32]) -> tuple[bytes, bytes]:
    """Pictures as the device reads them, and what it has to answer to each."""
    shown = [numbers(one, whole.decimals).transpose(1, 2, 0).tobytes() for one in pictures]
    answers = [passed(whole, one).tobytes() for one in pictures]
    return b"".join(shown), b"".join(answers)


def _facts(whole: Q7Network, where: Placed) -> dict[str, object]:
    return {
        "buffers": where.buffers._asdict(),
        "weights": sum(one.weight.size for one in whole.layers if one.weight is not None),
        "biases": sum(one.bias.size for one in whole.layers if one.bias is not None),
        "decimals": whole.decimals,
        "layers": [
            {
                "name": one.step.layer.name,
                "function": function(one.step),
                "decimals": one.decimals,
                "bias_shift": one.bias_shift,
                "out_shift": one.out_shift,
            }
            for one in whole.layers
        ],
    }
