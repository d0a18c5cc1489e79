"""python3 convert.py NET.onnx NET.mnn: MNN's file of a network, by its converter's own function.

The command `mnnconvert` is a module around that compiled function; it installs a logging package
when it is imported, and reports conversions to MNN's makers. Nothing of it lies here: _tools.so,
beside this file, is the function alone, and is called in a container without a network.
"""

import sys
from pathlib import Path

import _tools

FIELD = 11  # mnn_uuid, the 12th of the table Net: schema/default/MNN.fbs
HEX = b"0123456789abcdef"


def number(file: bytearray, place: int, size: int = 4) -> int:
    return int.from_bytes(file[place : place + size], "little")


def unnamed(file: bytearray) -> bytearray:
    """The file with zeros for its identifier, which each conversion draws anew."""
    net = number(file, 0)
    fields = net - number(file, net)
    field = net + number(file, fields + 4 + 2 * FIELD, 2)
    text = field + number(file, field)
    length = number(file, text)
    identifier = file[text + 4 : text + 4 + length]
    if length != 36 or identifier.strip(HEX + b"-"):
        raise SystemExit(f"{bytes(identifier)!r} is no identifier: the file is of another schema")
    file[text + 4 : text + 4 + length] = bytes(b"0"[0] if c in HEX else c for c in identifier)
    return file


source, made = sys.argv[1:]
Path(made).parent.mkdir(parents=True, exist_ok=True)
given = ["mnnconvert", "-f", "ONNX", "--modelFile", source, "--MNNModel", made, "--bizCode", "net"]
_tools.mnnconvert(given)
if not Path(made).is_file():
    raise SystemExit(f"MNN's converter made nothing of {source}; its words are above")
Path(made).write_bytes(unnamed(bytearray(Path(made).read_bytes())))
