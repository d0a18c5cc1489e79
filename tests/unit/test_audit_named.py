"""The faults that people really ship, each as a tiny file that has it, and a twin that has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix import audit, elf
from buildmatrix.nouns import AuditPolicy, Target
from buildmatrix.pipeline.auditing import audit_path
from tests import elf_factory as factory
from tests.elf_factory import NEON, VFPV3, make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PI3 = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "2.36")
SOFT = {"CPU_arch": 10, "ABI_FP_number_model": 3}  # gcc -mfloat-abi=soft
NATIVE = "GNU C17 12.2.0 -march=znver3 -msse -mavx2 --param=l1-cache-size=48 -mtune=znver3 -O2"


def put(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def shown(path: Path) -> list[str]:
    """What `inv audit PATH` lists: code, file, message."""
    return [f"{f['code']} {f['file']}: {f['message']}" for f in audit_path(path)["findings"]]


def openblas(*, neon: bool) -> bytes:
    code = factory.A32_VMLA_Q * 70 if neon else factory.A32_VMLA_S * 70
    return make(
        attributes=NEON if neon else VFPV3,
        text=[("$a", code + factory.A32_RETURN)],
        soname="libopenblas.so.0",
        needed=["libc.so.6"],
        versions={"libc.so.6": ["GLIBC_2.34"]},
    )


def test_openblas_built_without_have_neon(tmp_path: Path) -> None:
    policy = AuditPolicy(PI3, neon_required=("lib/libopenblas.so.0",), provided=("libc.so.6",))
    without = elf.read_tree(put(tmp_path / "a", {"lib/libopenblas.so.0": openblas(neon=False)}))
    (finding,) = audit.judge(without, policy)
    assert (finding.code, finding.file) == ("BM120", "lib/libopenblas.so.0")
    assert "0 quad-register float multiply instructions, Tag_FP_arch VFPv3" in finding.message
    assert "HAVE_NEON=1" in finding.hint
    with_neon = elf.read_tree(put(tmp_path / "b", {"lib/libopenblas.so.0": openblas(neon=True)}))
    assert audit.judge(with_neon, policy) == ()


ARM_LIBRARIES = ["libarmpl_lp64_mp.so", "libamath.so", "libastring.so"]


def test_the_bare_mxnet_wheel_for_aarch64(tmp_path: Path) -> None:
    """MXNet 1.9.1's wheel asks for Arm's libraries and carries none of them."""
    wheel = make(
        machine="EM_AARCH64",
        soname="libmxnet.so",
        needed=[*ARM_LIBRARIES, "libm.so.6"],
        text=[("$x", factory.A64_FMLA_4S + factory.A64_RETURN)],
    )
    put(tmp_path, {"mxnet/libmxnet.so": wheel})
    assert shown(tmp_path) == [
        f"BM140 mxnet/libmxnet.so: needs {name}, which neither the bundle nor the board has"
        for name in sorted(ARM_LIBRARIES)
    ]
    there = make(machine="EM_AARCH64", text=[("$x", factory.A64_RETURN)])
    assert shown(put(tmp_path, {f"lib/{name}": there for name in ARM_LIBRARIES})) == []


def test_a_soft_float_object_alone_and_in_a_static_library(tmp_path: Path) -> None:
    def compiled(attributes: Mapping[str, int]) -> bytes:
        return make(elf_type="ET_REL", float_flag="unspecified", attributes=attributes)

    soft, hard, none = compiled(SOFT), compiled(VFPV3), compiled({"CPU_arch": 10, "FP_arch": 3})
    message = "soft-float ABI, the target is hard-float (Tag_ABI_VFP_args: core registers)"
    put(tmp_path, {"soft.o": soft, "hard.o": hard, "assembly.o": none})
    assert shown(tmp_path) == [f"BM103 soft.o: {message}"]
    put(tmp_path / "lib", {"libx.a": factory.ar({"hard.o": hard, "soft.o": soft})})
    assert shown(tmp_path / "lib" / "libx.a") == [f"BM103 libx.a(soft.o): {message}"]
    put(tmp_path / "lib", {"libx.a": factory.ar({"hard.o": hard, "assembly.o": none})})
    assert shown(tmp_path / "lib" / "libx.a") == []


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (["GLIBC_2.4", "GLIBC_2.38"], ["BM130 needs GLIBC_2.38, the floor is GLIBC_2.36"]),
        (["GLIBC_ABI_DT_RELR", "GLIBC_2.36"], []),
        (["GLIBC_2.4", "GLIBC_PRIVATE"], []),
    ],
)
def test_glibc_above_the_floor(tmp_path: Path, versions: list[str], expected: list[str]) -> None:
    image = make(attributes=NEON, needed=["libc.so.6"], versions={"libc.so.6": versions})
    facts = elf.read_tree(put(tmp_path, {"bin/runner": image}))
    found = audit.judge(facts, AuditPolicy(PI3, provided=("libc.so.6",)))
    assert [f"{f.code} {f.message}" for f in found] == expected


def test_what_was_compiled_for_the_machine_that_compiled(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "host.so": make(machine="EM_X86_64", command_line=[NATIVE]),  # judged no further
            "leak.so": make(attributes=NEON, producer="clang version 14.0.6 -O2 -mcpu=native"),
            "sse.so": make(attributes=NEON, command_line=["GNU C17 12.2.0 -marm -msse -mavx2 -O2"]),
            "good.so": make(
                attributes=NEON,
                producer="GNU C17 12.2.0 -mcpu=cortex-a53 -mfpu=neon-vfpv4 -marm -O2 -g",
                command_line=["GNU C17 12.2.0 -march=armv7-a+neon-vfpv4 -mtune=cortex-a53"],
            ),
            "silent.so": make(attributes=NEON),
        },
    )
    assert shown(tmp_path) == [
        "BM101 host.so: built for EM_X86_64, the target is EM_ARM",
        "BM114 leak.so: its compiler was told -mcpu=native",
        "BM114 sse.so: its compiler was told -mavx2 -msse",
    ]


BLAS = ["cblas_sgemm", "sgemm_"]


def framework(exports: Sequence[str], hidden: Sequence[str] = ()) -> dict[str, bytes]:
    """A program on a framework that has a BLAS inside, and on the cell's own."""
    return {
        "bin/runner": make(attributes=NEON, needed=["libtorch_cpu.so", "libcaffe.so"]),
        "lib/libtorch_cpu.so": make(
            attributes=NEON, soname="libtorch_cpu.so", exports=exports, hidden=hidden
        ),
        "lib/libcaffe.so": make(attributes=NEON, soname="libcaffe.so", needed=["libopenblas.so.0"]),
        "lib/libopenblas.so.0": make(attributes=NEON, soname="libopenblas.so.0", exports=BLAS),
    }


def test_a_second_blas_in_one_process(tmp_path: Path) -> None:
    """As PyTorch's wheel beside our OpenBLAS: the answer was right, and the BLAS another one."""
    both = put(tmp_path / "both", framework(exports=["nnp_initialize", "sgemm_"]))
    assert shown(both) == [
        "BM142 bin/runner: sgemm_ is in lib/libtorch_cpu.so and in lib/libopenblas.so.0; "
        "the first wins"
    ]
    hidden = put(tmp_path / "hidden", framework(exports=["nnp_initialize"], hidden=BLAS))
    assert shown(hidden) == []
    apart = framework(exports=BLAS)
    apart["bin/runner"] = make(attributes=NEON, needed=["libcaffe.so"])
    assert shown(put(tmp_path / "apart", apart)) == [], "two that no process loads both"
