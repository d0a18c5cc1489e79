"""Instructions for the kernel and registers of the system, which a program may have no right to.

`privileged`: whatever the processor, Linux ends a program there with SIGILL. `pmu`: so it does with
the cycle counters, unless perf_event_open or a kernel of one's own opened them. Registers that a
program may use where the processor has them are the feature that brought them. Source: Arm
Architecture Reference Manual, DDI 0487, C5 and D24, DDI 0406C, B3.17 and B9; what Linux emulates
from arch/arm64/kernel/cpufeature.c (emulate_mrs), what it opens from arm_arch_timer.c. Seen under
QEMU's user mode for each row but those of debug registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.isa.patterns import Encodings

# Linux answers a program that reads what the processor is (mrs of op0 3, op1 0, CRn 0).
BASE64: Encodings = {
    "": (
        ("mrs of MIDR_EL1 and the like", 0xFFFFF000, 0xD5380000),
        ("mrs msr tpidr_el0 tpidrro_el0", 0xFFDFFFC0, 0xD51BD040),
    ),
}
SYSTEM64: Encodings = {
    "rng": (("mrs rndr rndrrs", 0xFFFFFFC0, 0xD53B2400),),
    "dit": (
        ("mrs msr dit", 0xFFDFFFE0, 0xD51B42A0),
        ("msr dit, immediate", 0xFFFFF0FF, 0xD503405F),
    ),
    "ssbs": (
        ("mrs msr ssbs", 0xFFDFFFE0, 0xD51B42C0),
        ("msr ssbs, immediate", 0xFFFFF0FF, 0xD503403F),
    ),
    "sme": (
        ("smstart smstop", 0xFFFFF8FF, 0xD503407F),
        ("mrs msr svcr", 0xFFDFFFE0, 0xD51B4240),
        ("mrs msr tpidr2_el0", 0xFFDFFFE0, 0xD51BD0A0),
    ),
    "mte": (
        ("mrs msr tco", 0xFFDFFFE0, 0xD51B42E0),
        ("msr tco, immediate", 0xFFFFF0FF, 0xD503409F),
    ),
    "fpmr": (("mrs msr fpmr", 0xFFDFFFE0, 0xD51B4440),),
    "pmu": (
        ("mrs msr pmccntr_el0 and the like", 0xFFDFFC00, 0xD51B9C00),
        ("mrs msr pmevcntr0_el0 and the like", 0xFFDFF800, 0xD51BE800),
    ),
    "privileged": (
        ("hvc smc", 0xFFE0001E, 0xD4000002),
        ("msr uao, immediate", 0xFFFFF0FF, 0xD500407F),
        ("msr pan, immediate", 0xFFFFF0FF, 0xD500409F),
        ("msr spsel, immediate", 0xFFFFF0FF, 0xD50040BF),
        ("msr daifset daifclr, immediate", 0xFFFFF0DF, 0xD50340DF),
        ("mrs msr daif", 0xFFDFFFE0, 0xD51B4220),
        ("mrs cntpct_el0 cntpctss_el0", 0xFFFFFF60, 0xD53BE020),
        ("mrs msr cntp_ctl_el0 cntv_ctl_el0 and the like", 0xFFDFFE00, 0xD51BE200),
        ("msr allint, immediate", 0xFFFFF0FF, 0xD501401F),
        ("mrs msr scxtnum_el0, of activity monitors", 0xFFDFF000, 0xD51BD000),
        ("mrs msr of debug registers", 0xFFD80000, 0xD5100000),
        ("mrs msr of EL1", 0xFFDF0000, 0xD5180000),
        ("mrs msr of ccsidr_el1 and the like", 0xFFDF0000, 0xD5190000),
        ("mrs msr of csselr_el1", 0xFFDF0000, 0xD51A0000),
        ("mrs msr of EL2 and EL3", 0xFFDC0000, 0xD51C0000),
        ("ic iallu, dc isw, at, tlbi and the like", 0xFFDF0000, 0xD5080000),
        ("at and tlbi of EL2 and EL3", 0xFFDC0000, 0xD50C0000),
    ),
}

# ARM's condition stands in the upper four bits; Thumb has 1110 there, and so have these where they
# are a good part of all words: in a stripped file data is read for code. wldr and wstr have no row,
# because libgcc's unwinder has them for tables that ask for them.
BASE32: Encodings = {
    "": (
        ("mrc mcr of tpidruro tpidrurw", 0x0FEF0FDF, 0x0E0D0F50),
        ("mcr of the old barriers", 0x0FFF0FDF, 0x0E070F9A),
        ("mcr of the old isb", 0x0FFF0FFF, 0x0E070F95),
    ),
}
SYSTEM32: Encodings = {
    "pmu": (("mrc mcr pmccntr and the like", 0xFFEF0F1C, 0xEE090F1C),),
    "privileged": (
        ("mrc mcr of the system's registers", 0xFFE00F10, 0xEE000F10),
        ("vmrs vmsr fpsid", 0x0FEF0F10, 0x0EE00A10),
        ("vmrs mvfr2", 0x0FFF0F10, 0x0EF50A10),
        ("vmrs mvfr0 mvfr1", 0x0FFE0F10, 0x0EF60A10),
        ("vmrs vmsr fpexc", 0x0FEF0F10, 0x0EE80A10),
    ),
}
ARM_ALONE: Encodings = {
    # XScale's, whose Thumb has no coprocessors.
    "iwmmxt": (("tmcr wzero and the like", 0xFF000E00, 0xEE000000),),
    "privileged": (("hvc smc", 0xFFD000F0, 0xE1400070),),
}
THUMB_ALONE: Encodings = {
    "privileged": (("hvc smc", 0xFFE0F000, 0xF7E08000),),
}
