"""What a processor has, by its architecture's name."""

from __future__ import annotations

import pytest

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
