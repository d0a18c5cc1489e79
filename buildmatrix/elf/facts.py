"""The facts of one ELF file, put together from its tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.elf import attributes as arm
from buildmatrix.elf import dynamic, versions
from buildmatrix.elf.calls import opens, time64
from buildmatrix.elf.code import code_facts
from buildmatrix.elf.entry import entry_is_code, unlanded
from buildmatrix.elf.memory import Memory
from buildmatrix.elf.pages import largest_page
from buildmatrix.elf.relocations import relocations
from buildmatrix.elf.rows import program
from buildmatrix.elf.started import no_functions
from buildmatrix.elf.stops import stops
from buildmatrix.elf.switches import machine_switches
from buildmatrix.elf.symbols import blas, symbols
from buildmatrix.elf.tables import PT_LOAD, TYPES, VERSYM, machine_name
from buildmatrix.elf.unasked import unasked
from buildmatrix.elf.unchosen import unchosen
from buildmatrix.nouns import ElfFacts, Linking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.elf.relocations import Relocations
    from buildmatrix.elf.tables import Image
    from buildmatrix.elf.units import Units
    from buildmatrix.nouns import Symbols, VersionNeed

EM_ARM, EABI5 = 40, 5


def facts_of(image: Image, name: str) -> ElfFacts:
    """What the file says about itself, shown as `name`. Raises Damaged, and pyelftools' errors."""
    is_arm = image.machine == EM_ARM
    tags = arm.attributes(image) if is_arm else {}
    asked = dynamic.dynamic(image)
    moved = relocations(image, asked.stubs)
    needs = tuple(versions.needed(image).values())
    strong = [need.version for need in needs if not need.weak]
    units = _units(image)
    readable = program(image)
    memory = Memory(readable) if readable is not None else None
    table = replace(
        symbols(image, moved),
        unasked=unasked(memory) if memory is not None else (),
        unchosen=unchosen(memory) if memory is not None and image.segments else (),
    )
    code = code_facts(image, memory, units)
    return ElfFacts(
        file=name,
        machine=machine_name(image),
        elf_type=TYPES.get(image.type, f"ET_{image.type}"),
        eabi=image.flags >> 24 if is_arm else 0,
        float_abi=arm.float_abi(image.flags, tags) if is_arm else "unspecified",
        cpu_arch=arm.word(arm.CPU_ARCH, tags.get(arm.TAG_CPU_ARCH)),
        fp_arch=arm.word(arm.FP_ARCH, tags.get(arm.TAG_FP_ARCH)),
        simd=arm.word(arm.SIMD_ARCH, tags.get(arm.TAG_SIMD_ARCH)),
        vfp_args=tags.get(arm.TAG_VFP_ARGS) == arm.VFP_ARGS_IN_REGISTERS,
        soname=asked.soname,
        needed=asked.needed,
        rpath=asked.rpath,
        runpath=asked.runpath,
        glibc_max=versions.highest("GLIBC_", strong),
        glibcxx_max=versions.highest("GLIBCXX_", strong),
        executable_stack=dynamic.executable_stack(image),
        neon_instructions=code.neon_instructions,
        multiplies=code.multiplies,
        features=code.features,
        asks_cpu=code.asks_cpu,
        text_relocations="TEXTREL" in asked.flags,
        machine_switches=machine_switches(image, units),
        blas=blas(table.exports),
        time64=time64(image, table.imports),
        linking=_linking(image, memory, asked, moved, needs, table),
        symbols=table,
    )


def _is_loaded(image: Image) -> bool:
    """Whether a segment is mapped, of a file whose segments lie at addresses."""
    kinds = {segment.type for segment in image.segments}
    return PT_LOAD in kinds or not any(segment.address for segment in image.segments)


def _units(image: Image) -> Units | None:
    """None without debug information, which few files have: its reader need not cost the others."""
    if image.named(".debug_info") is None:
        return None
    from buildmatrix.elf.units import Units  # noqa: PLC0415

    return Units(image)


def _linking(
    image: Image,
    memory: Memory | None,
    asked: dynamic.Dynamic,
    moved: Relocations,
    needs: Sequence[VersionNeed],
    table: Symbols,
) -> Linking:
    eabi5 = image.machine == EM_ARM and image.flags >> 24 == EABI5
    soft = eabi5 and bool(image.flags & arm.FLAG_SOFT)
    called, offered = unlanded(image)
    sure, perhaps = stops(memory) if memory is not None and image.segments else ((), ())
    started_by, cut = dynamic.interpreter(image)
    return Linking(
        interpreter=started_by,
        interpreter_cut=cut,
        dynamic=asked.present,
        hashed=asked.hashed,
        flags=asked.flags,
        filters=asked.filters,
        auditors=asked.auditors,
        versions_needed=tuple(needs),
        versions_defined=tuple(versions.defined(image).values()),
        versioned=image.first(VERSYM) is not None,
        loaded=_is_loaded(image),
        found=dynamic.is_found(image),
        fixed_dynamic=dynamic.is_fixed(image),
        addends=asked.addends,
        forms=asked.forms,
        alignment=dynamic.load_alignment(image),
        largest_page=largest_page(image),
        fixed=dynamic.fixed(image),
        variables=dynamic.variables(image),
        relr=asked.relr,
        android_relocations=asked.android_relocations,
        relocations=moved.types,
        stub_relocations=moved.of_stubs,
        osabi=image.osabi,
        odd_header=image.odd_header,
        soft_float_flag=soft,
        soft_float_by_header=soft and arm.float_abi(0, arm.attributes(image)) != "soft",
        tls_size=dynamic.tls_size(image),
        tls_alignment=dynamic.tls_alignment(image),
        opens=opens(image, table.imports),
        entry_is_code=entry_is_code(image),
        stops=sure,
        may_stop=perhaps,
        no_functions=no_functions(memory) if memory is not None else (),
        unlanded=called,
        unlanded_exports=offered,
    )
