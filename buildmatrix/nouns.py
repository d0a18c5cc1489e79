"""The nouns of buildmatrix, and nothing that acts.

Frozen values that the stages hand to each other. What people write (YAML) has types of its own
in `matrix`, `recipe` and `toolchain`; these are the resolved ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.errors import Location

Scalar = str | bool | int
Options = Mapping[str, Scalar]

# GCC's -mfpu for 32-bit state, each with all of those before it. From neon-fp-armv8 on it is ARMv8
# in 32-bit state (march armv8-a or armv8-a+crc); the Raspberry Pis before the 5 have no crypto.
FPU_RANK = (
    *("", "vfpv2", "vfpv3-d16", "vfpv3", "neon", "neon-vfpv4"),
    *("neon-fp-armv8", "crypto-neon-fp-armv8"),
)


def version_tuple(text: str) -> tuple[int, ...]:
    """Numbers of a dotted version, for ordering: '2.36' < '2.4.1' is False here.

    >>> version_tuple("GLIBC_2.36") > version_tuple("2.4.1")
    True
    """
    return tuple(int(part) for part in re.findall(r"\d+", text))


@dataclass(frozen=True, slots=True)
class Target:
    """What code is built for. `runs_on` is the partial order: built-for A runs-on B."""

    triple: str  # arm-linux-gnueabihf
    machine: str  # ELF machine as pyelftools names it: EM_ARM, EM_AARCH64
    march: str  # armv7-a
    fpu: str  # neon-vfpv4; one of FPU_RANK
    float_abi: str  # hard
    libc_floor: str  # highest GLIBC_ symbol version allowed: 2.36; empty: no limit
    # All that a named board's processor has beyond the base set, in the words of `isa.features`;
    # None where march and fpu alone say it.
    cpu_features: tuple[str, ...] | None = None

    def runs_on(self, other: Target) -> bool:
        """True when code built for this target may run where `other` describes the machine."""
        return (
            self.machine == other.machine
            and self.float_abi == other.float_abi
            and FPU_RANK.index(self.fpu) <= FPU_RANK.index(other.fpu)
            and version_tuple(self.libc_floor) <= version_tuple(other.libc_floor)
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One configuration to build and measure: recipe x toolchain x the options it uses x model."""

    id: str  # for people: select, log, file name, database, report
    model: str
    stack: str
    toolchain: str
    options: tuple[tuple[str, Scalar], ...]  # sorted; used by the recipe or a dependency of it
    where: Location | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A combination that the matrix excludes, and why."""

    id: str
    rule: str  # where the rule stands: matrix.yaml:14:5
    reason: str


class Stage(StrEnum):
    """What an action does, in pipeline order."""

    IMAGE = "image"
    SOURCE = "source"
    BUILD = "build"
    RUNNER = "runner"
    MODEL = "model"
    AUDIT = "audit"
    BUNDLE = "bundle"


class Verb(StrEnum):
    RUN = "RUN"  # nothing stored under this key
    RERUN = "RERUN"  # stored under another key: something changed
    SKIP = "SKIP"  # stored
    BLOCKED = "BLOCKED"  # cannot run here: a source is out of reach, or a dependency is blocked


@dataclass(frozen=True, slots=True)
class Action:
    """One planned unit of work. A plan is a tuple of these in an order that can be executed."""

    id: str  # build:openblas[neon=true,openblas=0.3.34]@armv7hf-bookworm
    cell: str  # first cell that needs it
    stage: Stage
    verb: Verb
    reason: str
    needs: tuple[str, ...] = ()
    key: str = ""  # cache key; empty while the toolchain image's identity is unknown
    predicted_seconds: float | None = None
    blocked_by: str = ""  # BLOCKED: id of the action that is the root of it, where it is another


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of a stored tree. `path` is relative, POSIX, never leaves the tree."""

    path: str
    sha256: str = ""  # empty for a symlink
    size: int = 0
    executable: bool = False
    link: str = ""  # symlink target, relative


@dataclass(frozen=True, slots=True)
class Entry:
    """What the store holds under one key."""

    key: str
    files: tuple[FileRecord, ...]
    material: Mapping[str, object]  # what went into the key
    provenance: Mapping[str, object]  # what did not, but is worth keeping: seconds, builder, log


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


@dataclass(frozen=True, slots=True)
class Symbols:
    """The dynamic symbol table as the loader uses it. Too large for a document."""

    imports: tuple[Import, ...] = ()
    # Name to its versions; an empty one is 'of no version' or the file's base version.
    exports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Linking:
    """What one file asks of the loader beside libraries: program headers, dynamic section."""

    interpreter: str = ""  # PT_INTERP: /lib/ld-linux-armhf.so.3
    dynamic: bool = False  # it has a dynamic section
    hashed: bool = True  # DT_HASH or DT_GNU_HASH: without one it offers no symbol
    flags: tuple[str, ...] = ()  # of DT_FLAGS and DT_FLAGS_1: BIND_NOW, NODEFLIB, NOOPEN, PIE, …
    filters: tuple[str, ...] = ()  # DT_FILTER
    auditors: tuple[str, ...] = ()  # DT_AUDIT, DT_DEPAUDIT
    versions_needed: tuple[VersionNeed, ...] = ()
    versions_defined: tuple[str, ...] = ()
    versioned: bool = True  # its symbols have versions (.gnu.version), be it only the base one
    alignment: int = 0  # least p_align of a loaded segment, bytes; 0: none
    relr: bool = False  # DT_RELR, known to glibc from 2.36 on
    android_relocations: bool = False  # packed in a form that Android's loader alone knows
    relocations: tuple[int, ...] = ()  # the types that occur, sorted
    osabi: int = 0  # EI_OSABI
    soft_float_flag: bool = False  # e_flags: EF_ARM_ABI_FLOAT_SOFT, which glibc's loader refuses
    soft_float_by_header: bool = False  # that flag alone says so, no attribute does
    tls_size: int = 0  # bytes of thread-local variables (PT_TLS)
    opens: tuple[str, ...] = ()  # names of libraries in its data, where it calls dlopen


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
    promised_libc: str = ""  # the glibc that a wheel says it is content with: 2.27


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict of the audit, with a stable code, a place and a way out."""

    code: str  # BM101
    severity: Severity
    file: str
    message: str
    hint: str

    def __str__(self) -> str:
        """One line for people, without the hint."""
        return f"{self.code} {self.file}: {self.message}"


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """What the audit holds a tree against. Data, so that a test can say it in one line."""

    target: Target
    neon_required: tuple[str, ...] = ()  # globs on file paths in which NEON must be found
    neon_forbidden: tuple[str, ...] = ()  # ... may not be found
    dispatched: tuple[str, ...] = ()  # ... that ask the CPU before they use what the target lacks
    provided: tuple[str, ...] = ()  # sonames the board has: libc's own
    # What is known of the libraries that the board has: soname to the highest version of each name
    # that it defines, as {"libstdc++.so.6": ("GLIBCXX_3.4.30", "CXXABI_1.3.13")}. A soname that is
    # not here is one of which nothing is known.
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    page_size: int = 0  # bytes, of the board's kernel; 0: not known, no limit
    stray: bool = False  # other people's files: only what does not start is an error


@dataclass(frozen=True, slots=True)
class Bundle:
    """What goes to the board for one cell: bin/runner, lib/*, model/*, manifest.json."""

    cell: str
    digest: str  # sha256 of manifest.json, which lists every other file
    files: tuple[FileRecord, ...]  # manifest.json included

    @property
    def size(self) -> int:
        return sum(f.size for f in self.files)


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """Where a board answers and how its host key is pinned."""

    name: str  # what people call it: pi3
    host: str
    port: int = 0  # 0: what the ssh configuration says, else 22
    user: str = ""  # empty: what the ssh configuration says, else pi
    host_key: str = ""  # "SHA256:…"; empty means not pinned, so refused
    identity_file: str = ""  # private key; empty means agent and default keys
    virtual: bool = False  # made by `device up`
    quota_mib: int = 0  # that deploys may use there; 0: no limit


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """Processors that share one clock, as cpufreq has them; None is 'it does not say'."""

    cpus: tuple[int, ...]
    governor: str
    now_khz: int | None = None
    min_khz: int | None = None  # limits that are set now
    max_khz: int | None = None
    hardware_max_khz: int | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Processors of one kind; a big.LITTLE board has several."""

    cpus: tuple[int, ...]
    part: str  # 0xd03
    capacity: int | None = None  # of 1024, beside the board's strongest
    max_khz: int | None = None


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """A place whose temperature the kernel knows."""

    kind: str  # cpu-thermal
    celsius: float


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the board said it is. Sizes in KiB, clock in kHz; None is 'the board does not say'."""

    name: str
    model: str  # /proc/device-tree/model
    kernel: str
    machine: str  # uname -m; says nothing about the userland
    elf_machine: str  # of the userland: EM_ARM, EM_AARCH64
    cpu_parts: tuple[str, ...]  # 0xd03 once per kind of core
    features: frozenset[str]  # as /proc/cpuinfo lists them
    cores: int
    memory_kib: int
    memory_available_kib: int
    disk_free_kib: int
    libc: str  # 2.36
    emulated: str  # empty on hardware; else what gave it away
    load1: float
    governor: str | None = None  # of the first clock; `policies` has all
    clock_khz: int | None = None
    temperature_c: float | None = None  # of the hottest zone
    throttled: str | None = None
    float_abi: str = ""  # of the userland: hard, soft, or empty where it does not say
    mount: str = ""  # the file system that bundles go to: '/home rw,noexec'
    skew_s: float | None = None  # its clock less ours, seconds
    page_size: int | None = None  # bytes
    kernel_bits: int | None = None  # 32 or 64, whatever uname says
    init: str = ""  # systemd, busybox, …
    home: str = ""  # of the user who logs in
    home_exists: bool = True
    # its own copies, as in AuditPolicy: libstdc++.so.6 -> GLIBCXX_3.4.30, CXXABI_1.3.13
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clusters: tuple[Cluster, ...] = ()
    policies: tuple[ClockPolicy, ...] = ()
    zones: tuple[ThermalZone, ...] = ()


class Status(StrEnum):
    """How one measurement ended. Only OK publishes a time."""

    OK = "ok"
    WRONG = "wrong"  # the answer is not the golden one
    OOM = "oom"
    FAILED = "failed"
    VOID = "void"  # the board was disturbed; the samples are kept and count for nothing
    SKIPPED = "skipped"  # not run: predicted not to fit into the board's memory


@dataclass(frozen=True, slots=True)
class Measurement:
    """One block: one turn of a cell at one batch size in one round, with every raw sample.

    A run is rounds of blocks. Blocks of one cell and batch are repeated measurements of the same
    thing; `summary` puts them together.
    """

    run: str
    cell: str
    device: str
    emulated: bool
    model: str
    batch: int
    threads: int
    passes: int  # timed passes asked for in this block
    status: Status
    block: int = 0  # place in the run's order; names the block within its run
    round: int = 0
    sentinel: bool = False  # the fixed cell between rounds: tells drift, is no row of a table
    samples_ns: tuple[int, ...] = ()  # one per pass, whole batch
    first_pass_ns: int | None = None
    instructions: int | None = None  # executed in user mode over all timed passes
    peak_rss_kib: int | None = None
    max_rel_error: float | None = None
    void_reason: str = ""
    bundle: str = ""  # digest of what ran
    series: str = ""  # hash of the controlled variables
    taken_at: str = ""  # ISO 8601, UTC, by the board's clock
    environment: Mapping[str, object] = field(default_factory=dict)

    @property
    def mean_ms_per_image(self) -> float | None:
        """The study's figure; None unless the answer was right."""
        if self.status is not Status.OK or not self.samples_ns:
            return None
        return sum(self.samples_ns) / len(self.samples_ns) / self.batch / 1e6

    @property
    def instructions_per_image(self) -> float | None:
        if self.status is not Status.OK or self.instructions is None or not self.samples_ns:
            return None
        return self.instructions / len(self.samples_ns) / self.batch


@dataclass(frozen=True, slots=True)
class Run:
    """One benchmark run as it is kept: what was asked, and all that the board wrote down."""

    id: str
    device: str
    emulated: bool
    request: Mapping[str, object]  # JSON form of bench.request.Request: seed, order, settings
    journal: str  # the board's own lines, unchanged
    collected_at: str  # ISO 8601, UTC, by the collector's clock
    label: str = ""  # a word for people, as 'nightly'


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that cells are compared by. `sign` is -1 where less is better, +1 where more is."""

    name: str  # as in the JSON documents
    unit: str  # for people
    sign: int


TIME = Metric("ms_per_image", "ms an image", -1)
INSTRUCTIONS = Metric("instructions_per_image", "instructions an image", -1)
