"""What ELF files say about themselves, and what their code needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class CompiledFor:
    """By the debug information, the source file of some instructions was compiled for them."""

    unit: str  # the source file with most of them, as its compiler was given it
    switch: str  # that chose them: -march=armv8.2-a+sve
    started: bool = False  # the loader, or the program itself, may come to one
    exports: tuple[str, ...] = ()  # the exported functions that may


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """The instructions in one file that need one feature of the processor."""

    feature: str  # in the words of /proc/cpuinfo where it has one, see `isa.features`: atomics
    count: int
    functions: tuple[str, ...] = ()  # those that hold most of them, most first
    holders: int = 0  # how many functions hold any
    # How a run comes to one of them without asking the processor first: the names of the functions
    # from what the loader calls to the one that holds it. Empty where it may be dispatched.
    path: tuple[str, ...] = ()
    # The exported functions that come to one whoever calls them; of a file that asks nothing.
    exports: tuple[str, ...] = ()
    compiled: CompiledFor | None = None  # of a file that asks nothing
    unreached: bool = False  # nothing in the file leads to the functions that hold them
    guarded: int = 0  # how many of them libgcc's helpers hold, behind a look at the processor


@dataclass(frozen=True, slots=True)
class Multiplies:
    """Vector multiply instructions in one file, by what they multiply; nobody has run them."""

    float32: int = 0  # four lanes in a quad register
    float32_pair: int = 0  # two lanes in a double-word register
    int8: int = 0  # dot products and matrix multiplies of 8-bit integers included
    int16: int = 0
    float16: int = 0
    bfloat16: int = 0
    sve: int = 0  # of any element, in scalable registers


@dataclass(frozen=True, slots=True)
class VersionNeed:
    """A symbol version that a file must find in a library (.gnu.version_r)."""

    library: str  # libstdc++.so.6
    version: str  # GLIBCXX_3.4.32
    weak: bool = False  # the loader goes on without it


@dataclass(frozen=True, slots=True)
class Import:
    """A name that must be defined by another file; weak names are not kept."""

    name: str
    version: str = ""  # GLIBC_2.34, or empty: of any
    library: str = ""  # that defined the version when the file was linked
    copied: bool = False  # a library's variable that the program has room for
    thread_local: bool = False  # of each thread its own: an offset, not an address


@dataclass(frozen=True, slots=True)
class Unasked:
    """A weak name that may be defined by nobody, and is used without a look whether it is."""

    name: Import
    path: tuple[str, ...] = ()  # how a run comes to it, as in FeatureUse
    exports: tuple[str, ...] = ()  # the exported functions that come to it whoever calls them
    called: bool = True  # else a variable is read or written there


@dataclass(frozen=True, slots=True)
class Unchosen:
    """An indirect function (IFUNC) of a file, for which its resolver chooses none."""

    name: str  # empty: it has none
    offered: bool  # others may bind to it
    path: tuple[str, ...] = ()  # how a run comes to a call of it in the file


@dataclass(frozen=True, slots=True)
class Symbols:
    """The dynamic symbol table as the loader uses it. Too large for a document."""

    imports: tuple[Import, ...] = ()
    # Name to its versions; an empty one is 'of no version' or the file's base version.
    exports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    thread_local: frozenset[str] = frozenset()  # those of the exports that are of each thread
    hidden: frozenset[str] = frozenset()  # and those that no name without a version binds to
    # Those of the exports that the file calls by a stub, so that another file's function of that
    # name, where it is loaded before, takes their place.
    asked_back: frozenset[str] = frozenset()
    protected: frozenset[str] = frozenset()  # and those that the file itself uses whoever has them
    unasked: tuple[Unasked, ...] = ()
    unchosen: tuple[Unchosen, ...] = ()


@dataclass(frozen=True, slots=True)
class Linking:
    """What one file asks of the loader beside libraries: program headers, dynamic section."""

    interpreter: str = ""  # PT_INTERP: /lib/ld-linux-armhf.so.3
    interpreter_cut: bool = False  # and no zero byte at its end
    dynamic: bool = False  # it has a dynamic section
    hashed: bool = True  # DT_HASH or DT_GNU_HASH: without one it offers no symbol
    flags: tuple[str, ...] = ()  # of DT_FLAGS and DT_FLAGS_1: BIND_NOW, NODEFLIB, NOOPEN, PIE, …
    filters: tuple[str, ...] = ()  # DT_FILTER
    auditors: tuple[str, ...] = ()  # DT_AUDIT, DT_DEPAUDIT
    versions_needed: tuple[VersionNeed, ...] = ()
    versions_defined: tuple[str, ...] = ()
    versioned: bool = True  # its symbols have versions (.gnu.version), be it only the base one
    loaded: bool = True  # some segment is mapped (PT_LOAD)
    found: bool = True  # and one names the dynamic section (PT_DYNAMIC)
    fixed_dynamic: bool = False  # the dynamic section lies where nobody may write
    alignment: int = 0  # least p_align of a loaded segment, bytes; 0: none
    largest_page: int = 0  # with which its segments can be mapped, whatever p_align says, bytes
    fixed: tuple[int, int] = (0, 0)  # the addresses that a program asks for, first and behind last
    variables: int = 0  # bytes of memory that the kernel must promise it: writable segments
    relr: bool = False  # DT_RELR, known to glibc from 2.36 on
    android_relocations: bool = False  # packed in a form that Android's loader alone knows
    relocations: tuple[int, ...] = ()  # the types that occur, sorted
    addends: bool | None = None  # those stand beside the relocations of stubs (RELA), or not (REL)
    forms: tuple[str, ...] = ()  # of the other relocations: RELA, REL
    stub_relocations: tuple[int, ...] = ()  # those of the procedure linkage table
    osabi: int = 0  # EI_OSABI
    odd_header: tuple[str, ...] = ()  # header fields that glibc refuses in a library: EI_PAD
    soft_float_flag: bool = False  # e_flags: EF_ARM_ABI_FLOAT_SOFT, which glibc's loader refuses
    soft_float_by_header: bool = False  # that flag alone says so, no attribute does
    tls_size: int = 0  # bytes of thread-local variables (PT_TLS)
    tls_alignment: int = 0  # of those, bytes
    opens: tuple[str, ...] = ()  # names of libraries in its data, where it calls dlopen
    entry_is_code: bool = True  # of a library it says nothing
    stops: tuple[str, ...] = ()  # what is called at the start or end and is sure to come to a trap
    may_stop: tuple[str, ...] = ()  # so too, where nothing that it calls first ends the process
    no_functions: tuple[str, ...] = ()  # what the loader calls and is no code: DT_INIT_ARRAY 0x0
    # AArch64, in a file marked for BTI: what has no landing pad of what the loader and libc call
    # through a pointer (_start, DT_INIT, main), and of the functions that it offers.
    unlanded: tuple[str, ...] = ()
    unlanded_exports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """What one ELF file says about itself; nothing is executed."""

    file: str
    machine: str  # EM_ARM
    elf_type: str  # ET_DYN
    eabi: int  # 5; 0 where the machine has none
    float_abi: str  # hard | soft | unspecified
    cpu_arch: str  # Tag_CPU_arch: v7, or "" without attributes
    fp_arch: str  # Tag_FP_arch: VFPv3, VFPv4, VFPv3-D16, ...
    simd: str  # Tag_Advanced_SIMD_arch in readelf's words: "", NEONv1
    vfp_args: bool  # Tag_ABI_VFP_args says VFP registers
    soname: str
    needed: tuple[str, ...]
    rpath: tuple[str, ...]  # DT_RPATH
    glibc_max: str  # 2.34, "" when no versioned symbol is needed
    glibcxx_max: str
    executable_stack: bool
    # Quad-register float multiplies in the text, executed by nobody; `multiplies.float32`. None
    # where it cannot be told which bytes are instructions: then those two below are None as well.
    neon_instructions: int | None
    text_relocations: bool = False
    machine_switches: tuple[str, ...] = ()  # recorded by the compiler: -march=armv7-a, ...
    blas: tuple[str, ...] = ()  # of sgemm_ and cblas_sgemm those that other files may bind to
    multiplies: Multiplies | None = None
    features: tuple[FeatureUse, ...] | None = None  # beyond ARMv8.0-A, or ARMv7-A with VFPv3-D16
    asks_cpu: bool = False  # it looks at what the processor has, so it may choose at run time
    runpath: tuple[str, ...] = ()  # DT_RUNPATH
    time64: bool | None = None  # 32-bit ARM: time_t is 64 bits wide; None: calls nothing with one
    linking: Linking = field(default_factory=Linking)
    symbols: Symbols | None = None  # None: not read, or left out of a document


class Oddity(StrEnum):
    """Why a file cannot be judged, wholly or in part."""

    DAMAGED = "damaged"
    NO_CODE = "no code"  # linked later (LTO), or debug information alone
    CUT = "cut"  # behind all that the loader reads
    UNREAD = "unread"  # a part of it is in a form that is not read here


@dataclass(frozen=True, slots=True)
class OddFile:
    """A file, or an object of a static library, that is not what an audit can judge."""

    file: str
    oddity: Oddity
    details: str  # one line for people
    brief: str = ""  # of what is damaged: what it is not, and `cause`, where that was seen
    cause: str = ""


@dataclass(frozen=True, slots=True)
class ElfTree:
    """What was read of a tree: a folder, one file, or an archive. Paths are relative, POSIX."""

    facts: tuple[ElfFacts, ...]
    odd: tuple[OddFile, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)  # symlink: its target, as it is written
    folders: frozenset[str] = frozenset()
    # Files that are named like libraries and are none: a text, as a linker's INPUT(…), or empty.
    decoys: frozenset[str] = frozenset()
    rooted: bool = False  # it is laid out as a board's root folder: a Debian package, a sysroot
    unexecutable: frozenset[str] = frozenset()  # files that nobody may start by their mode
    promised_libc: str = ""  # the glibc that a wheel says it is content with: 2.27
