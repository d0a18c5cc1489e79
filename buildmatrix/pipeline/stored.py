"""What the cells have made, as the store has it now: looked up once, for everybody who asks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from buildmatrix.errors import AuditError, BuildmatrixError, InputError
from buildmatrix.nouns import Bundle, Verb
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.plan import key_of
from buildmatrix.works import BundleWork

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from buildmatrix.audit.document import Audit
    from buildmatrix.nouns import Action, Cell, Entry, FileRecord, Target
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.recipe import SourceSpec
    from buildmatrix.store import Store
    from buildmatrix.works import Work

MANIFEST = "manifest.json"
EXPECTED = "expected.f64"


@dataclass(frozen=True, slots=True)
class Stored:
    """One cell: what it is built for, and what of it lies in the store."""

    cell: Cell
    target: Target
    bundle: Bundle | None  # None: not built as it would be now
    audit: Audit | None  # None: not audited, or not asked for
    reason: str = ""  # why it is not built: words that follow the cell's id
    nothing_to_run: bool = False  # its recipe makes no bundle, and its products may be there
    expected: FileRecord | None = None  # the right output of its model, doubles
    made_with: Mapping[str, object] = field(default_factory=dict)  # what a result remembers of it

    @property
    def built(self) -> bool:
        """There is a bundle, and the audit has judged it, whatever it found."""
        return not self.reason


def bundle_digests(workshop: Workshop, actions: Sequence[Action]) -> dict[str, str]:
    """Cell -> digest of its stored bundle, empty where there is none. `actions` is the plan."""
    keys = {action.id: action.key for action in actions}
    digests = {}
    for cell in workshop.project.cells:
        work = workshop.project.graph.bundle_of(cell.id)
        bundle = _bundle(workshop.store, cell.id, keys[work.id]) if work else None
        digests[cell.id] = bundle.digest if bundle else ""
    return digests


def stored(workshop: Workshop, *, actions: Sequence[Action] | None = None) -> Mapping[str, Stored]:
    """The selected cells by id, in the order of the matrix: one plan, one pass over the store.

    `actions` is the plan, where the caller has made it already.
    """
    planned = {action.id: action for action in (actions or plan_all(workshop))}
    graph = workshop.project.graph
    cells = {}
    expected: dict[str, FileRecord | None] = {}  # by key: cells share the model, so one look
    for cell in workshop.project.cells:
        bundle, audited = graph.bundle_of(cell.id), planned[graph.audit_of(cell.id).id]
        if bundle is None:
            cells[cell.id] = _without_runner(workshop, cell, audited)
        else:
            cells[cell.id] = _with_runner(workshop, bundle, audited, planned, expected)
    return cells


def audited(workshop: Workshop, actions: Sequence[Action]) -> tuple[Stored, Audit]:
    """The first selected cell and what its audit says. Raises InputError where there is none."""
    cell = workshop.project.cells[0]
    one = stored(workshop, actions=actions)[cell.id]
    if one.audit is None:
        hint = f"run `inv build --only {cell.id}`"
        raise InputError(f"{cell.id} {one.reason}", where=cell.where, hint=hint)
    return one, one.audit


def _without_runner(workshop: Workshop, cell: Cell, audited: Action) -> Stored:
    """A library that nothing runs: what it is audited for, and why it has no bundle."""
    target = workshop.project.toolchains[cell.toolchain].target
    if audited.verb is not Verb.SKIP:
        return Stored(cell, target, None, None, f"is not built: {audited.reason}")
    reason = f"makes no bundle: recipe '{cell.stack}' has neither a runner nor a bench"
    audit = read_audit(workshop.store, audited.key)
    return Stored(cell, target, None, audit, reason, nothing_to_run=True)


def _with_runner(
    workshop: Workshop,
    work: Work,
    audited: Action,
    planned: Mapping[str, Action],
    expected: dict[str, FileRecord | None],
) -> Stored:
    assert isinstance(work.subject, BundleWork)
    model = planned[work.subject.model].key
    if model not in expected:
        expected[model] = _record(workshop.store, model, EXPECTED)
    cell, store = work.subject.cell, workshop.store
    bundle = _bundle(store, cell.id, planned[work.id].key)
    made_with = _made_with(workshop, cell, workshop.project.graph.sources_of(cell.id))
    reason = ""
    if audited.verb is not Verb.SKIP:
        reason = f"is not built: {audited.reason}"
    elif bundle is None:
        reason = "is not built: its bundle is gone from the store"
    return Stored(
        cell,
        workshop.project.toolchains[cell.toolchain].target,
        bundle,
        read_audit(store, audited.key) if not reason else None,
        reason,
        expected=expected[model],
        made_with=made_with,
    )


def _made_with(workshop: Workshop, cell: Cell, sources: Iterable[SourceSpec]) -> dict[str, object]:
    """What a result should remember of how its cell was built."""
    toolchain = workshop.project.toolchains[cell.toolchain]
    identity = workshop.identities.get(cell.toolchain)
    return {
        "stack": cell.stack,
        "options": dict(cell.options),
        "toolchain": cell.toolchain,
        "toolchain_identity": identity.digest if identity else "",
        "flags": list(toolchain.spec.flags),
        "sources": {one.name: one.tree for one in sources if one.tree},
    }


def _bundle(store: Store, cell: str, key: str) -> Bundle | None:
    """The bundle stored under a key; None for an empty key, or when nothing is there."""
    entry = store.entry(key) if key else None
    if entry is None:
        return None
    manifest = entry.file(MANIFEST)
    assert manifest is not None, key
    return Bundle(cell, manifest.sha256, entry.files)


def _record(store: Store, key: str, path: str) -> FileRecord | None:
    """One file of what is stored under a key; None when there is none."""
    entry = store.entry(key) if key else None
    return entry.file(path) if entry else None


def read_audit(store: Store, key: str) -> Audit:
    """The stored audit by the key of its work. Raises BuildmatrixError when there is none."""
    from buildmatrix.audit.document import Audit  # with all rules

    entry = store.entry(key)
    if entry is None:
        raise BuildmatrixError("not audited yet", hint="run `inv build` first")
    with store.open(entry.files[0].sha256) as stream:
        return Audit.from_json(json.load(stream))


def shippable(cells: Iterable[Stored], *, model: str = "") -> tuple[Stored, ...]:
    """Those of the cells, or of those of one model, that are built and passed their audit.

    Raises AuditError when one did not pass, InputError when none is built.
    """
    wanted = [one for one in cells if not model or one.cell.model == model]
    for one in wanted:
        if one.built and one.audit is not None and one.audit.blocking:
            raise AuditError(
                f"{one.cell.id} has {len(one.audit.blocking)} findings that forbid shipping",
                details="\n".join(map(str, one.audit.blocking)),
                hint=f"inv audit {one.cell.id}",
            )
    built = tuple(one for one in wanted if one.built)
    if not built:
        missing = ", ".join(one.cell.id for one in wanted)
        if wanted and all(one.nothing_to_run for one in wanted):
            raise InputError(
                f"nothing of the selected cells is run on a board: {missing}",
                hint="give their recipes a `bench` or a `runner`; "
                f"`inv get {wanted[0].cell.id} --out DIR` hands over what they made",
            )
        raise InputError(f"none of the selected cells is built: {missing}", hint="run `inv build`")
    return built


def bundle_by_digest(store: Store, cell: str, digest: str) -> Bundle | None:
    """A cell's bundle by its digest, also one that a later build superseded; None: it is gone."""
    entry = _bundle_entry(store, digest)
    return Bundle(cell, digest, entry.files) if entry else None


def measured(
    store: Store, cell: str, digest: str, audit: Work | None
) -> tuple[Bundle | None, Audit | None]:
    """The bundle that was measured as a cell, by its digest, and what `audit`, the work that audits
    the cell now, made of that very bundle.

    Without a plan: what is to be built next says nothing of what ran. None for a bundle that is
    gone, and for an audit that was not made, or has no work since the cell left the matrix.
    """
    entry = _bundle_entry(store, digest, newest_of=audit.needs[0] if audit else "")
    if entry is None:
        return None, None
    key = key_of(audit, {audit.needs[0]: entry.key}) if audit else ""
    made = read_audit(store, key) if key and store.entry(key) else None
    return Bundle(cell, digest, entry.files), made


def _bundle_entry(store: Store, digest: str, *, newest_of: str = "") -> Entry | None:
    """What holds a manifest of that digest: the newest entry of a work, else any other."""
    newest = store.latest(newest_of) if newest_of else None
    if newest and (manifest := newest.file(MANIFEST)) and manifest.sha256 == digest:
        return newest
    for entry in store.entries():
        if (manifest := entry.file(MANIFEST)) and manifest.sha256 == digest:
            return entry
    return None
