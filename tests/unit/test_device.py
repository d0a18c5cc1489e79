"""Probe answers of real and of likely boards, and the gate's verdicts on them."""

from __future__ import annotations

import os
import platform
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.agent import PREFIX, ask, source
from buildmatrix.audit import RULES
from buildmatrix.device import (
    FPU_NEEDS,
    QUESTION,
    explained,
    meant_for,
    numbered,
    parse,
    probe,
    unfit,
)
from buildmatrix.device.checks import CHECKS
from buildmatrix.device.page import refreshed
from buildmatrix.errors import DeviceError
from buildmatrix.nouns import FPU_RANK, DeviceInfo, ElfFacts, Severity, Target
from tests.fakes import LocalShell

BOOKWORM = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "2.36")
ELF_ARM = "7f454c4601010100000000000000000003002800"
ELF_AARCH64 = "7f454c460201010000000000000000000300b700"

# As the virtual board printed it on 2026-11-20, cut to one core and two lines of meminfo.
VIRTUAL = f"""\
model=Raspberry Pi 3 Model B Rev 1.2
compatible=raspberrypi,3-model-b brcm,bcm2837 linux,dummy-virt
fwcfg=/proc/device-tree/fw-cfg@9020000
kernel=Linux 6.1.0-50-cloud-arm64
machine=armv8l
kernelarch=aarch64
elf={ELF_ARM}
longbit=32
cores=4
libc=glibc 2.36
libc=ldd (Debian GLIBC 2.36-9+deb12u14) 2.36
libc=Copyright (C) 2022 Free Software Foundation, Inc.
libc=GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.
cpuinfo=processor	: 0
cpuinfo=model name	: ARMv8 Processor rev 4 (v8l)
cpuinfo=Features	: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt lpae crc32
cpuinfo=CPU architecture: 8
cpuinfo=CPU part	: 0xd03
cpuinfo=
meminfo=MemTotal:        1005360 kB
meminfo=MemAvailable:     929500 kB
disk=Filesystem     1024-blocks   Used Available Capacity Mounted on
disk=/dev/vda           1992552 143540   1727772       8% /
load=0.06 0.03 0.01 1/74 198
cpu=0|1024|||1|
throttled=
end=1
"""

# The study's board (its Features and CPU part); sysfs and vcgencmd as on the Pi's own kernel.
PI3 = f"""\
model=Raspberry Pi 3 Model B Rev 1.2
compatible=raspberrypi,3-model-b brcm,bcm2837
fwcfg=
kernel=Linux 5.10.103-v7+
machine=armv7l
kernelarch=
elf={ELF_ARM}
longbit=32
cores=4
libc=glibc 2.31
cpuinfo=processor	: 0
cpuinfo=Features	: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae \
evtstrm crc32
cpuinfo=CPU part	: 0xd03
cpuinfo=Hardware	: BCM2835
cpuinfo=Model		: Raspberry Pi 3 Model B Rev 1.2
meminfo=MemTotal:         944264 kB
meminfo=MemFree:          500000 kB
meminfo=MemAvailable:     700000 kB
disk=Filesystem     1024-blocks    Used Available Capacity Mounted on
disk=/dev/root         30359612 5000000  24000000      18% /
load=0.10 0.05 0.01 1/120 900
policy=policy0|0 1 2 3|600000|600000|1200000|1200000|ondemand|
zone=thermal_zone0|cpu-thermal|47236|
throttled=throttled=0x50005
end=1
"""

# A 64-bit kernel under the 32-bit userland: cpuinfo in its 64-bit form (VIRTUAL-PI.md section 3).
KERNEL64 = PI3.replace("armv7l", "aarch64").replace(
    "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32",
    "fp asimd evtstrm crc32 cpuid",
)

# armhf in a container on an x86 host: the host's own cpuinfo (VIRTUAL-PI.md section 1).
QEMU_USER = f"""\
model=
kernel=Linux 6.18.44
machine=armv7l
kernelarch=x86_64
elf={ELF_ARM}
longbit=32
cores=2
libc=glibc 2.36
cpuinfo=processor	: 0
cpuinfo=vendor_id	: GenuineIntel
cpuinfo=flags		: fpu vme sse2
meminfo=MemTotal:       24684084 kB
meminfo=MemAvailable:   23659776 kB
disk=Filesystem     1024-blocks    Used Available Capacity Mounted on
disk=overlay          263000000 5000000  79173884      18% /
load=0.00 0.00 0.00 1/1 1
end=1
"""


def codes(info: DeviceInfo, target: Target = BOOKWORM, *, needs_kib: int = 1000) -> list[str]:
    return [finding.code for finding in unfit(info, target, needs_kib=needs_kib)]


def test_the_virtual_board() -> None:
    info = parse("vpi", VIRTUAL)
    assert (info.model, info.elf_machine) == ("Raspberry Pi 3 Model B Rev 1.2", "EM_ARM")
    assert (info.cores, info.cpu_parts, info.libc) == (4, ("0xd03",), "2.36")
    assert (info.memory_kib, info.memory_available_kib) == (1005360, 929500)
    assert (info.disk_free_kib, info.load1) == (1727772, 0.06)
    assert (info.governor, info.clock_khz, info.throttled) == (None, None, None)
    assert "dummy-virt" in info.emulated
    assert codes(info) == []


def test_a_pi3_is_hardware_with_an_older_libc() -> None:
    info = parse("pi3", PI3)
    assert info.emulated == ""
    assert (info.governor, info.clock_khz, info.temperature_c) == ("ondemand", 600000, 47.236)
    assert info.throttled == "0x50005"
    assert codes(info) == ["BM303", "BM307", "BM309"]
    (old, *_) = unfit(info, BOOKWORM, needs_kib=0)
    assert (old.severity, old.file) == (Severity.ERROR, "pi3")
    assert "2.31" in old.message
    assert "GLIBC_2.36" in old.message
    assert "BM303" not in codes(info, replace(BOOKWORM, libc_floor="2.31"))


def test_a_64_bit_kernel_does_not_hide_neon_from_a_32_bit_userland() -> None:
    info = parse("pi3", KERNEL64)
    assert (info.machine, info.elf_machine) == ("aarch64", "EM_ARM")
    assert "neon" not in info.features
    assert codes(info, replace(BOOKWORM, libc_floor="2.31")) == ["BM307", "BM309"]


def test_a_64_bit_userland_is_refused() -> None:
    info = parse("pi4", KERNEL64.replace(ELF_ARM, ELF_AARCH64))
    (wrong, *_) = unfit(info, BOOKWORM, needs_kib=0)
    assert wrong.code == "BM301"
    assert "EM_AARCH64" in wrong.message
    assert "EM_ARM" in wrong.message


def test_without_od_the_word_size_decides() -> None:
    assert parse("pi", KERNEL64.replace(ELF_ARM, "")).elf_machine == "EM_ARM"


def test_qemu_user_is_emulated_and_its_neon_unchecked() -> None:
    info = parse("container", QEMU_USER)
    assert "x86" in info.emulated
    assert codes(info) == ["BM306"]
    faked = QEMU_USER.replace("vendor_id	: GenuineIntel", "Features	: neon vfpv4")
    assert "x86_64" in parse("container", faked).emulated
    named = PI3.replace("Hardware	: BCM2835", "Hardware	: QEMU v9.2 linux,dummy")
    assert "QEMU" in parse("container", named).emulated


@pytest.mark.parametrize(
    ("features", "fpu", "missing"),
    [
        ("half thumb vfp", "neon-vfpv4", "neon, vfpv4"),
        ("vfp vfpv3 neon", "neon-vfpv4", "vfpv4"),
        ("vfp vfpv3 vfpv3d16", "neon", "neon"),
        ("vfp vfpv3 vfpv3d16", "vfpv3", "neon or vfpd32"),
        ("vfp", "vfpv3-d16", "vfpv3 or vfpv3d16 or vfpv4"),
    ],
)
def test_missing_cpu_features_are_named(features: str, fpu: str, missing: str) -> None:
    info = replace(parse("vpi", VIRTUAL), features=frozenset(features.split()))
    (finding,) = unfit(info, replace(BOOKWORM, fpu=fpu), needs_kib=0)
    assert finding.code == "BM302"
    assert f"needs {missing};" in finding.message
    assert " ".join(sorted(features.split())) in finding.message


def test_every_fpu_of_the_model_is_judged() -> None:
    assert set(FPU_NEEDS) == set(FPU_RANK)


def test_disk_and_load() -> None:
    info = replace(parse("vpi", VIRTUAL), load1=3.0)
    assert codes(info, needs_kib=2_000_000) == ["BM304", "BM308"]
    (full, *_) = unfit(info, BOOKWORM, needs_kib=2_000_000)
    assert "1727772 KiB" in full.message
    assert "2000000" in full.message


@pytest.mark.parametrize(
    ("lines", "libc"),
    [
        (("ldd (GNU libc) 2.31",), "2.31"),
        (("ldd (Ubuntu GLIBC 2.35-0ubuntu3.8) 2.35",), "2.35"),
        (("GNU C Library (Debian GLIBC 2.24-11) stable release version 2.24, by Roland",), "2.24"),
        (("musl libc (armhf)", "Version 1.2.4"), "musl 1.2.4"),
        (("glibc 2.36", "musl libc (x86_64)", "Version 1.2.3"), "2.36"),  # Debian 12's package musl
        (("musl libc (armhf)", "Version 1.2.4", "C Library release version 2.36"), "2.36"),
        (("sh: ldd: not found",), ""),
        ((), ""),
    ],
)
def test_libc_from_whatever_answers(lines: tuple[str, ...], libc: str) -> None:
    text = PI3.replace("libc=glibc 2.31\n", "".join(f"libc={line}\n" for line in lines))
    assert parse("pi", text).libc == libc


def test_a_board_with_musl_or_an_unknown_libc() -> None:
    info = parse("vpi", VIRTUAL)
    assert codes(replace(info, libc="musl 1.2.4")) == ["BM303"]
    (refusal,) = unfit(replace(info, libc="musl 1.2.4"), BOOKWORM, needs_kib=0)
    assert "libc is musl 1.2.4, the bundle's is glibc" in refusal.message
    assert codes(replace(info, libc="")) == ["BM305"]


@pytest.mark.parametrize("cut", ["end=1\n", "meminfo=MemTotal:        1005360 kB\n"])
def test_an_incomplete_answer_is_refused(cut: str) -> None:
    with pytest.raises(DeviceError, match="did not answer the probe"):
        parse("vpi", VIRTUAL.replace(cut, ""))


@given(st.text())
def test_noise_is_a_device_error(text: str) -> None:
    with pytest.raises(DeviceError):
        parse("noise", text)


@given(st.data())
def test_damaged_answers_never_crash(data: st.DataObject) -> None:
    """Any value may be any text: it is read, or refused as a whole."""
    lines = VIRTUAL.splitlines()
    for index in data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=5)):
        value = data.draw(st.text() | st.text(alphabet=string.digits + ".:- "))
        lines[index] = lines[index].partition("=")[0] + "=" + value
    try:
        info = parse("vpi", "\n".join(lines))
    except DeviceError:
        return
    assert info.cores >= 1
    unfit(info, BOOKWORM, needs_kib=0)


def test_the_probe_runs_in_this_machine_s_sh(tmp_path: Path) -> None:
    info = probe(LocalShell(tmp_path), "here")
    assert info.kernel == f"{platform.system()} {platform.release()}"
    assert info.machine == platform.machine()
    assert info.cores == os.cpu_count()
    assert info.disk_free_kib > 0


HEADER = "7f454c46010101000000000000000000" + "0300280001000000" + "00" * 12  # up to e_flags


@pytest.mark.parametrize(
    ("flags", "abi", "found"),
    [("00040005", "hard", []), ("00020005", "soft", ["BM311"]), ("00000005", "", [])],
)
def test_the_userland_s_float_abi(flags: str, abi: str, found: list[str]) -> None:
    info = parse("vpi", VIRTUAL.replace(ELF_ARM, HEADER + flags))
    assert (info.elf_machine, info.float_abi) == ("EM_ARM", abi)
    assert codes(info) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("/dev/vda / ext4 rw,relatime 0 0", []),
        ("tmpfs /home tmpfs rw,nosuid,noexec 0 0", ["BM312"]),
        ("/dev/vda / ext4 ro,errors=remount-ro 0 0", ["BM313"]),
        ("/dev/vda / ext4 rw,errors=remount-ro 0 0", []),
        ("", []),
    ],
)
def test_where_nothing_may_be_run_or_written(line: str, found: list[str]) -> None:
    info = parse("vpi", VIRTUAL.replace("end=1", f"mount={line}\nend=1"))
    assert codes(info) == found
    if found:
        assert line.split()[1] in unfit(info, BOOKWORM, needs_kib=0)[0].message


@pytest.mark.parametrize(
    ("epoch", "found", "words"),
    [
        (1_000_000, [], ""),
        (1_000_119, [], ""),
        (1_000_300, ["BM314"], "300 s ahead of"),
        (400_000, ["BM314"], "7 days behind"),
    ],
)
def test_a_clock_that_is_elsewhere(epoch: int, found: list[str], words: str) -> None:
    text = VIRTUAL.replace("end=1", f"epoch={epoch}\nend=1")
    info = parse("vpi", text, now=1_000_000)
    assert codes(info) == found
    assert all(words in finding.message for finding in unfit(info, BOOKWORM, needs_kib=0))
    assert parse("vpi", text).skew_s is None


def test_an_emulated_clock_may_run_slowly_and_a_boards_may_not() -> None:
    info = replace(parse("vpi", VIRTUAL), skew_s=-7200.0)
    assert codes(info) == []
    assert codes(replace(info, emulated="")) == ["BM314"]


def test_the_audit_explains_a_refusal() -> None:
    """The files that need the newer libc, and none that does not."""
    facts = tuple(
        ElfFacts(
            file=f"lib/{name}",
            machine="EM_ARM",
            elf_type="ET_DYN",
            eabi=5,
            float_abi="hard",
            cpu_arch="v7",
            fp_arch="VFPv4",
            simd="NEONv1 with Fused-MAC",
            vfp_args=True,
            soname=name,
            needed=(),
            rpath=(),
            glibc_max=glibc,
            glibcxx_max="",
            executable_stack=False,
            neon_instructions=9,
        )
        for name, glibc in (("libnew.so", "2.34"), ("libold.so", "2.4"))
    )
    info = parse("pi3", PI3)
    old_libc = [f for f in unfit(info, BOOKWORM, needs_kib=0) if f.code == "BM303"]
    (reason,) = explained(info, BOOKWORM, facts, old_libc)
    assert (reason.code, reason.file) == ("BM130", "lib/libnew.so")
    assert "2.34" in reason.message
    weak = replace(parse("vpi", VIRTUAL), features=frozenset({"vfpv3"}))
    refusals = unfit(weak, BOOKWORM, needs_kib=0)
    assert {f.code for f in explained(weak, BOOKWORM, facts, refusals)} == {"BM111", "BM112"}
    assert explained(info, BOOKWORM, facts, ()) == ()


@pytest.mark.slow
def test_the_probe_asks_where_deploy_writes(tmp_path: Path) -> None:
    assert f"/{PREFIX}\n" in source("probe")
    info = probe(LocalShell(tmp_path), "here")
    assert info.mount.startswith("/")
    assert "rw" in info.mount.split()[1].split(",")
    assert info.skew_s is not None
    assert abs(info.skew_s) < 10


def test_a_board_takes_the_cells_of_its_own_machine() -> None:
    info = parse("pi3", VIRTUAL)
    machines = {"a": "EM_ARM", "b": "EM_AARCH64", "c": "EM_ARM"}
    assert meant_for(info, machines) == ("a", "c")
    assert meant_for(info, {"b": "EM_AARCH64"}) == ("b",), "the gate then says why it cannot run"


# A Rockchip RK3399 whose firmware holds the big cores down, and whose GPU zone is the hot one.
RK3399 = VIRTUAL.replace(
    "cpu=0|1024|||1|\n",
    """\
cpu=0|485|0x00000000410fd034|1416000|1|
cpu=1|485|0x00000000410fd034|1416000|1|
cpu=4|1024|0x00000000410fd082|1800000|1|
cpu=5|1024|0x00000000410fd082|1800000|1|
policy=policy0|0 1|1416000|408000|1416000|1416000|performance|
policy=policy4|4 5|408000|408000|408000|1800000|ondemand|
policy=cpufreq|0 1|1416000|408000|1416000|1416000|performance|
zone=thermal_zone0|cpu-thermal|41000|
zone=thermal_zone1|gpu-thermal|83500|
zone=thermal_zone2|battery|-274000|
""",
)


def test_a_board_with_two_kinds_of_cores_tells_all_its_clocks_and_its_hottest_zone() -> None:
    info = parse("rk3399", RK3399)
    assert [(c.part, c.cpus, c.capacity) for c in info.clusters] == [
        ("0xd03", (0, 1), 485),
        ("0xd08", (4, 5), 1024),
    ]
    assert [(p.cpus, p.now_khz, p.governor) for p in info.policies] == [
        ((0, 1), 1416000, "performance"),
        ((4, 5), 408000, "ondemand"),
    ]
    assert info.temperature_c == 83.5
    assert codes(info) == ["BM310", "BM309", "BM316"]
    hot, moving, down = (f.message for f in unfit(info, BOOKWORM, needs_kib=0))
    assert "84 °C (gpu-thermal)" in hot
    assert "ondemand" in moving
    assert "cpu 4, 5 is held at 408000 kHz of 1800000" in down


def test_without_midr_the_parts_come_from_cpuinfo_by_processor() -> None:
    lines = "".join(
        f"cpuinfo=processor : {number}\ncpuinfo=CPU part : {part}\ncpu={number}||||1|\n"
        for number, part in enumerate(("0xc07", "0xc07", "0xc0f"))
    )
    info = parse("odroid", VIRTUAL.replace("cpu=0|1024|||1|\n", lines))
    assert [(c.part, c.cpus) for c in info.clusters] == [("0xc07", (0, 1)), ("0xc0f", (2,))]


@pytest.mark.parametrize(
    ("lines", "bits"),
    [
        ("symbol=0000000000000000 T _text\nmachine=armv7l", 64),
        ("symbol=00000000 T stext\nmachine=armv7l", 32),
        ("symbol=\nkernelarch=arm", 32),
        ("symbol=\nkernelarch=\nmachine=armv8l", 64),
        ("symbol=", None),
    ],
)
def test_the_kernel_s_word_size_whatever_uname_says(lines: str, bits: int | None) -> None:
    rest = re.sub("(?m)^(machine|kernelarch)=.*\n", "", VIRTUAL)
    assert parse("pi", f"{lines}\n{rest}").kernel_bits == bits


def test_what_a_pi5_s_kernel_and_a_busybox_system_say_of_themselves() -> None:
    info = parse("pi5", f"pagesize=16384\ninit=init /bin/busybox\n{VIRTUAL}")
    assert (info.page_size, info.init) == (16384, "busybox")
    assert parse("pi", f"pagesize=KernelPageSize: 4 kB\n{VIRTUAL}").page_size == 4096


def test_a_missing_home_is_said_and_not_a_full_disk() -> None:
    text = VIRTUAL.replace("end=1", "home=/home/nobody\nend=1")
    info = parse("pi", text)
    assert codes(replace(info, disk_free_kib=0)) == ["BM315"]
    assert "/home/nobody does not exist" in unfit(info, BOOKWORM, needs_kib=0)[0].message
    assert codes(parse("pi", text.replace("home=", "homedir=yes\nhome="))) == []


def test_the_board_s_own_libraries_by_their_highest_symbol_version(tmp_path: Path) -> None:
    lines = """\
library=/lib/arm-linux-gnueabihf/libstdc++.so.6 GLIBCXX_3.4.30
library=/usr/lib/libstdc++.so.6 GLIBCXX_3.4.9
library=/lib/libgomp.so.1 $(reboot)
"""
    assert parse("pi", lines + VIRTUAL).libraries == {"libstdc++.so.6": ("GLIBCXX_3.4.30",)}
    here = probe(LocalShell(tmp_path), "here")
    assert here.libraries["libc.so.6"] == (f"GLIBC_{platform.libc_ver()[1]}",)
    assert (here.page_size, here.kernel_bits) == (os.sysconf("SC_PAGESIZE"), 64)
    assert here.home == str(tmp_path)


@pytest.mark.slow
def test_a_faked_sys_gives_every_clock_and_zone(tmp_path: Path) -> None:
    def put(path: str, value: str) -> None:
        file = tmp_path / "sys" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")

    for number, (first, governor) in enumerate([(0, "schedutil"), (4, "powersave")]):
        folder = f"devices/system/cpu/cpufreq/policy{first}"
        put(f"{folder}/affected_cpus", f"{first} {first + 1}")
        put(f"{folder}/scaling_governor", governor)
        put(f"class/thermal/thermal_zone{number}/temp", f"{50 + number}000")
        put(f"devices/system/cpu/cpu{first}/cpu_capacity", f"{512 * (number + 1)}")
    line = f"BUILDMATRIX_SYS={tmp_path}/sys; {QUESTION}"
    result = ask(LocalShell(tmp_path), line, timeout=30, mode="look")
    info = parse("here", result.stdout.decode())
    assert [(p.cpus, p.governor) for p in info.policies] == [
        ((0, 1), "schedutil"),
        ((4, 5), "powersave"),
    ]
    assert [zone.celsius for zone in info.zones] == [50, 51]
    assert [c.capacity for c in info.clusters] == [512, 1024]


@pytest.mark.slow
def test_little_and_big_are_what_a_faked_sys_of_an_rk3399_says(tmp_path: Path) -> None:
    """Four Cortex-A53 and two Cortex-A72, by MIDR, capacity and the clock of each."""
    for cpu in range(6):
        big = cpu > 3
        told = {
            "cpu_capacity": "1024" if big else "485",
            "regs/identification/midr_el1": f"0x00000000410fd0{'82' if big else '34'}",
            "cpufreq/cpuinfo_max_freq": "1800000" if big else "1416000",
        }
        for name, value in told.items():
            file = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/{name}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
    line = f"BUILDMATRIX_SYS={tmp_path}/sys; {QUESTION}"
    info = parse("rock", ask(LocalShell(tmp_path), line, timeout=30, mode="look").stdout.decode())
    words = ("little", "big", "0,1", "all")
    assert [numbered(info, word) for word in words] == ["0-3", "4-5", "0-1", "all"]


def test_the_page_shows_the_checks_of_boards_as_they_are() -> None:
    """Stale? python -m buildmatrix.device docs/boards.md"""
    page = (Path(__file__).parents[2] / "docs" / "boards.md").read_text(encoding="utf-8")
    assert refreshed(page) == page
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| BM")]
    assert rows == [[c.code, c.severity.value, c.meaning, c.hint] for c in CHECKS]


def test_a_code_of_a_board_means_one_thing_and_is_none_of_the_audit() -> None:
    codes_of_boards = [check.code for check in CHECKS]
    assert codes_of_boards == sorted(codes_of_boards)
    assert {c for c in codes_of_boards if codes_of_boards.count(c) > 1} == {"BM303"}  # of two libcs
    assert len({check.hint for check in CHECKS}) == len(CHECKS)
    audited = {rule.code for rule in RULES}
    assert not audited & {*codes_of_boards}
    assert {code for check in CHECKS for code in check.audited} <= audited
