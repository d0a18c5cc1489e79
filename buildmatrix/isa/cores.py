"""What code compiled with given switches may use: by -march and -mfpu, or the core of -mcpu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.isa.features import of_march, of_march32

if TYPE_CHECKING:
    from collections.abc import Sequence

# -march of each core's -mcpu. Source: GCC 14, gcc/config/aarch64/aarch64-cores.def, and its
# manual's AArch64 options. A core that is not here is one of which nothing is concluded.
_N1 = "armv8.2-a+fp16+rcpc+dotprod"
_SVE2 = "armv9-a+i8mm+bf16"
CORES = {
    **dict.fromkeys(
        ("cortex-a32", "cortex-a34", "cortex-a35", "cortex-a53", "cortex-a57", "cortex-a72"),
        "armv8-a+crc",
    ),
    **dict.fromkeys(
        ("cortex-a73", "cortex-a57.cortex-a53", "cortex-a72.cortex-a53", "cortex-a73.cortex-a53"),
        "armv8-a+crc",
    ),
    **dict.fromkeys(("thunderx", "thunderxt88", "exynos-m1", "emag"), "armv8-a+crc+crypto"),
    **dict.fromkeys(("falkor", "qdf24xx"), "armv8-a+crc+crypto+rdma"),
    "thunderx2t99": "armv8.1-a+crypto",
    **dict.fromkeys(
        ("cortex-a55", "cortex-a75", "cortex-a76", "cortex-a77", "cortex-a78", "cortex-x1"), _N1
    ),
    **dict.fromkeys(("cortex-a75.cortex-a55", "cortex-a76.cortex-a55", "ares"), _N1),
    **dict.fromkeys(
        ("cortex-a78ae", "cortex-a78c", "cortex-x1c", "cortex-a65", "cortex-a65ae"), _N1
    ),
    **dict.fromkeys(("neoverse-n1", "neoverse-e1"), _N1),
    "tsv110": "armv8.2-a+crypto+fp16",
    "a64fx": "armv8.2-a+fp16+sve",
    **dict.fromkeys(("octeontx2", "octeontx2t98", "octeontx2t96"), "armv8.2-a+crypto"),
    "neoverse-v1": "armv8.4-a+sve+i8mm+bf16+fp16+rng+crypto",
    "neoverse-512tvb": "armv8.4-a+sve+i8mm+bf16+fp16+rng+crypto",
    "zeus": "armv8.4-a+sve+i8mm+bf16+fp16+rng+crypto",
    "thunderx3t110": "armv8.3-a+crypto",
    "saphira": "armv8.4-a+crypto",
    "ampere1": "armv8.6-a+fp16+rng+aes+sha3",
    "ampere1a": "armv8.6-a+fp16+rng+aes+sha3+sm4+memtag",
    **dict.fromkeys(("cortex-a510", "cortex-a710", "cortex-a715", "cortex-x2"), _SVE2),
    **dict.fromkeys(("cortex-x3", "neoverse-n2", "neoverse-v2", "grace"), _SVE2),
    **dict.fromkeys(
        ("cortex-a520", "cortex-a720", "cortex-a725", "cortex-x4", "cortex-x925", "neoverse-n3"),
        "armv9.2-a+i8mm+bf16",
    ),
    "neoverse-v3": "armv9.2-a+i8mm+bf16",
    "apple-m1": "armv8.5-a+crypto+fp16+sha3",
}
# Cores of ARMv7-A, with their floating-point unit. Source: GCC 14, gcc/config/arm/arm-cpus.in.
CORES32 = {
    **dict.fromkeys(("cortex-a5", "cortex-a7", "cortex-a12", "cortex-a15", "cortex-a17"), "vfpv4"),
    **dict.fromkeys(("cortex-a8", "cortex-a9"), "neon"),
}
DIVIDING = ("cortex-a7", "cortex-a12", "cortex-a15", "cortex-a17")

# The unit of FPU_RANK that has the instructions of another -mfpu, or of -march's extension.
UNITS = {
    **dict.fromkeys(("vfpv4", "vfpv4-d16", "neon-fp16", "vfpv3-fp16"), "neon-vfpv4"),
    **dict.fromkeys(("fp-armv8", "fpv5-d16", "fp.sp"), "neon-fp-armv8"),
    "crypto": "crypto-neon-fp-armv8",
    "vfp": "vfpv2",
}
RANKED = ("vfpv2", "vfpv3-d16", "vfpv3", "neon", "neon-vfpv4", "neon-fp-armv8")


def compiled_for(machine: str, switches: Sequence[str]) -> frozenset[str]:
    """The features that a compiler with these switches may use; none where they do not tell.

    Of several -march the last counts, as in GCC and clang; -march before -mcpu.
    """
    march, fpu = _last(switches, "-march="), _last(switches, "-mfpu=")
    cpu = _last(switches, "-mcpu=") or _of_zig(switches)
    if machine == "EM_AARCH64":
        return of_march(march) if march else of_march(_of_core(cpu))
    if not march and cpu:
        march, unit = _of_core32(cpu)
        fpu = fpu or unit
    if not march or not march.startswith("armv"):
        return frozenset()
    return of_march32(march, _unit(march, fpu))


def deciding(switches: Sequence[str]) -> str:
    """The switch that says for which processor, as GCC and clang weigh them; empty without one."""
    for name in ("-march=", "-mcpu="):
        if value := _last(switches, name):
            return name + value
    cpu = _of_zig(switches)
    return f"-mcpu={cpu}" if cpu else ""


def _of_zig(switches: Sequence[str]) -> str:
    """The core as zig 0.16 hands it to clang: -Xclang -target-cpu -Xclang neoverse-v1."""
    words = [switch for switch in switches if switch != "-Xclang"]
    places = [place for place, word in enumerate(words[:-1]) if word == "-target-cpu"]
    return words[places[-1] + 1] if places else ""


def _last(switches: Sequence[str], name: str) -> str:
    values = [switch.removeprefix(name) for switch in switches if switch.startswith(name)]
    return values[-1] if values else ""


def _of_core(cpu: str) -> str:
    name, plus, extensions = cpu.partition("+")
    return f"{CORES[name]}{plus}{extensions}" if name in CORES else ""


def _of_core32(cpu: str) -> tuple[str, str]:
    """-march and -mfpu of a core in 32-bit state."""
    name = cpu.partition("+")[0]
    if name in CORES32:
        return "armv7ve" if name in DIVIDING else "armv7-a", CORES32[name]
    return _of_core(cpu), "neon-fp-armv8" if name in CORES else ""


def _unit(march: str, fpu: str) -> str:
    """The -mfpu in force: the one that was given, else what -march's extensions name."""
    if fpu and fpu != "auto":
        return UNITS.get(fpu, fpu)
    version, *extensions = march.split("+")
    newest = "neon-fp-armv8" if version.startswith(("armv8", "armv9")) else ""
    simd = newest or ("neon-vfpv4" if version == "armv7ve" else "neon")
    words = {"simd": simd, "fp": newest or "vfpv3-d16", **UNITS}
    given = [words.get(one, one) for one in extensions]
    known = [one for one in given if one in (*RANKED, "crypto-neon-fp-armv8")]
    return known[-1] if known else ""
