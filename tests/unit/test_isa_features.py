"""What a processor has, by its architecture's name."""

from __future__ import annotations

import pytest

from buildmatrix.isa.cores import compiled_for
from buildmatrix.isa.features import features_of, of_march, of_march32
from buildmatrix.nouns import Target


@pytest.mark.parametrize(
    ("march", "has", "lacks"),
    [
        ("armv8-a", "", "atomics crc32 fphp sve"),
        ("armv8-a+crc", "crc32", "atomics aes"),
        ("armv8-a+crc+crypto", "crc32 aes pmull sha1 sha2", "sha3"),
        ("armv8.2-a", "atomics crc32 asimdrdm", "fphp asimddp"),
        ("armv8.2-a+fp16+dotprod", "fphp asimdhp asimddp", "asimdfhm sve"),
        ("armv8.6-a", "bf16 i8mm asimddp lrcpc", "sve fphp"),
        ("armv9-a", "sve sve2 asimddp frint", "bf16"),
        ("armv9-a+nosve2", "sve", "sve2"),
    ],
)
def test_a_64_bit_architecture_has_what_its_version_and_extensions_say(
    march: str, has: str, lacks: str
) -> None:
    features = of_march(march)
    assert set(has.split()) <= features
    assert not set(lacks.split()) & features


@pytest.mark.parametrize(
    ("march", "fpu", "has", "lacks"),
    [
        ("armv6kz", "vfpv2", "", "v6t2 v7 vfpv3 neon"),
        ("armv7-a", "vfpv3-d16", "v6t2 v7 vfpv3", "vfpd32 neon idiva armv8"),
        ("armv7-a", "neon", "neon vfpd32", "vfpv4 idiva"),
        ("armv7-a", "neon-vfpv4", "neon vfpv4 idiva idivt fp16conv", "armv8 crc32"),
        ("armv8-a+crc", "neon-fp-armv8", "armv8 crc32 vfpv4", "aes asimddp"),
        ("armv8-a", "crypto-neon-fp-armv8", "armv8 aes sha2", "crc32"),
    ],
)
def test_a_32_bit_processor_has_what_march_and_fpu_say(
    march: str, fpu: str, has: str, lacks: str
) -> None:
    features = of_march32(march, fpu)
    assert set(has.split()) <= features
    assert not set(lacks.split()) & features


def test_a_named_boards_own_features_go_before_its_march() -> None:
    """The Pi 4's Cortex-A72 is one with crc32 and without crypto."""
    target = Target("aarch64-linux-gnu", "EM_AARCH64", "armv8-a", "", "hard", "", ("crc32",))
    assert features_of(target) == {"crc32"}


@pytest.mark.parametrize(
    ("machine", "switches", "has", "lacks"),
    [
        ("EM_AARCH64", "-march=armv8.2-a+sve", "sve atomics", "asimddp"),
        ("EM_AARCH64", "-mcpu=cortex-a76+crypto", "asimddp atomics aes", "sve"),
        ("EM_AARCH64", "-mcpu=neoverse-v1", "sve i8mm bf16", "sve2"),
        ("EM_AARCH64", "-march=armv8.2-a -march=armv8-a", "", "atomics"),  # the last one counts
        ("EM_AARCH64", "-mcpu=neoverse-v1 -march=armv8-a+crc", "crc32", "sve"),
        ("EM_AARCH64", "-mcpu=neoverse-of-next-year -mtune=neoverse-v1", "", "atomics sve"),
        # As zig 0.16 hands it to clang.
        ("EM_AARCH64", "-O2 -Xclang -target-cpu -Xclang neoverse-v1 -c", "sve i8mm", "sve2"),
        ("EM_AARCH64", "-Xclang -target-cpu -Xclang generic", "", "atomics sve"),
        ("EM_AARCH64", "-mlittle-endian -mabi=lp64", "", "atomics crc32"),
        # As GCC 12 writes them: its driver gives -march the words of -mcpu and of -mfpu.
        ("EM_ARM", "-mfpu=neon-fp-armv8 -mthumb -march=armv8-a+simd", "armv8 idiva", "crc32"),
        ("EM_ARM", "-mcpu=cortex-a53 -march=armv8-a+crc+simd", "armv8 crc32 vfpv4", "aes"),
        ("EM_ARM", "-mcpu=cortex-a7 -mfpu=neon-vfpv4 -march=armv7ve+simd", "vfpv4 idiva", "armv8"),
        ("EM_ARM", "-march=armv7-a+fp", "v7 vfpv3", "neon vfpv4 idiva"),
        ("EM_ARM", "-march=armv7-a+simd", "neon", "vfpv4"),
        # As clang 19 writes them: what it was given.
        ("EM_ARM", "-mcpu=cortex-a57", "armv8 crc32", "asimddp"),
        ("EM_ARM", "-mcpu=cortex-a15", "vfpv4 idiva", "armv8"),
        ("EM_ARM", "-mfloat-abi=hard", "", "v7 armv8"),
    ],
)
def test_recorded_switches_say_what_code_was_compiled_for(
    machine: str, switches: str, has: str, lacks: str
) -> None:
    features = compiled_for(machine, switches.split())
    assert features >= set(has.split())
    assert features.isdisjoint(lacks.split())
