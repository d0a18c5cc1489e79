"""Words of code as LLVM's disassembler names them."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RELEASE = 19  # that the tables were held against: older ones do not know all of the newest features
LINE = re.compile(r"\s*[0-9a-f]+: (?:[0-9a-f]{4} [0-9a-f]{4}|[0-9a-f]{8})\s+(?P<text>.*)")

# Multiplies by element of the base sets: AArch64's by the arrangement of what is multiplied,
# `smull v3.8h, v19.8b, v27.8b`, ARM's by the type in the name, `vmul.f32 q1, q2, q3`.
INTEGERS = r"(?:mul|ml[as]|[su]mull2?|[su]ml[as]l2?|sqdmull2?|sqdml[as]l2?|sqr?dmulh)"
A64_VECTORS = re.compile(rf"(?:f(?:mul|ml[as])|{INTEGERS})\tv\S+ v\d+\.(?P<shape>\d+[bhsd]), v.*")
A64_FLOAT = re.compile(r"f(?:mul|ml[as])\t")
A32_INTEGERS = re.compile(r"v(?:mul|ml[as]|mull|ml[as]l)\.[isu](?P<bits>8|16)\t[qd].*")
A32_FLOAT = re.compile(r"v(?:mul|ml[as]|fm[as])\.f(?P<bits>16|32)\t(?P<register>[qd]).*")
SHAPES = {"4s": "float32", "2s": "float32_pair", "4h": "float16", "8h": "float16", "2d": ""}


def multiplied(text: str) -> str | None:
    """The field of Multiplies that an instruction counts for; None where the text does not say."""
    if match := A64_VECTORS.fullmatch(text):
        shape = match["shape"]
        if A64_FLOAT.match(text):
            return SHAPES[shape]
        return {"b": "int8", "h": "int16"}.get(shape[-1])
    if match := A32_FLOAT.fullmatch(text):
        quad = "float32" if match["register"] == "q" else "float32_pair"
        return quad if match["bits"] == "32" else "float16"
    if match := A32_INTEGERS.fullmatch(text):
        return f"int{match['bits']}"
    return None


class Disassembler:
    """llvm-objdump of the release above, on files in `folder`."""

    def __init__(self, folder: Path) -> None:
        for tool in ("llvm-objdump", "llvm-objcopy"):
            if not shutil.which(f"{tool}-{RELEASE}"):
                raise InputError(
                    f"no {tool} of LLVM {RELEASE}", hint=f"apt-get install llvm-{RELEASE}"
                )
        self._code, self._object = folder / "code.bin", folder / "code.o"
        about = self._run("objdump", "--version")
        self.version = next(line for line in about.splitlines() if "LLVM version" in line).strip()

    def read(self, words: NDArray[np.uint32], triple: str, features: str) -> list[str]:
        """One text a word, as `ldadd\tw1, w2, [x3]`; empty where LLVM does not know it.

        `features` are words of -mattr. Thumb's words have their first halfword above.
        """
        thumb, wide = triple.startswith("thumb"), triple.startswith("aarch64")
        halves = np.stack([words >> 16, words & 0xFFFF], 1).astype("<u2")
        self._code.write_bytes(halves.tobytes() if thumb else words.astype("<u4").tobytes())
        self._run(
            *("objcopy", "-I", "binary"),
            *("-O", "elf64-littleaarch64" if wide else "elf32-littlearm"),
            *("--rename-section", ".data=.text,alloc,load,readonly,code"),
            *(str(self._code), str(self._object)),
        )
        attributes = ",".join(f"+{word}" for word in features.split())
        options = ("-d", "-z", f"--triple={triple}", f"--mattr={attributes}")
        lines = map(LINE.fullmatch, self._run("objdump", *options, str(self._object)).splitlines())
        texts = [line["text"].strip() for line in lines if line]
        if len(texts) != len(words):
            raise InputError(f"{len(texts)} lines of llvm-objdump for {len(words)} words")
        return ["" if "<unknown>" in text else text for text in texts]

    def _run(self, tool: str, *arguments: str) -> str:
        argv = [f"llvm-{tool}-{RELEASE}", *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
