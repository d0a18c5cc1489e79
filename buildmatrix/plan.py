"""The plan: what would run, in which order, and why. A value, made without touching anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.cachekey import FORMAT, digest
from buildmatrix.changed import in_short
from buildmatrix.durations import estimates
from buildmatrix.nouns import Action, Stage, Verb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.works import Graph, Work


USELESS = "only cells that are out of reach need it"


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What is on record: images, keys and sources that are there, the last entry of each work."""

    identities: Mapping[str, str]  # toolchain -> identity digest of its present definition
    stored: frozenset[str]  # keys
    material: Mapping[str, Mapping[str, object]]  # work id -> material of its newest entry
    seconds: Mapping[str, float]  # work id -> how long it took last
    unavailable: Mapping[str, str]  # work id -> why it could not be had, last time
    sources: frozenset[str] = frozenset()  # identities of sources that the download cache holds


def cache_keys(works: Iterable[Work], identities: Mapping[str, str]) -> dict[str, str]:
    """Keys by work id; an image's is its identity. What is made in an image of unknown identity
    has none yet."""
    keys: dict[str, str] = {}
    for work in works:  # needs come first
        if work.stage is Stage.IMAGE:
            if work.toolchain in identities:
                keys[work.id] = identities[work.toolchain]
        elif all(need in keys for need in work.needs):
            keys[work.id] = key_of(work, keys)
    return keys


def key_of(work: Work, keys: Mapping[str, str]) -> str:
    """The cache key of a work that is no image. `keys` holds those of what it needs."""
    return digest(material_of(work, keys))


def material_of(work: Work, keys: Mapping[str, str]) -> dict[str, object]:
    """All that a work's key is a digest of. `keys` holds those of what it needs."""
    needs = {need: keys[need] for need in work.needs}
    return {"format": FORMAT, "id": work.id, **work.material, "needs": needs}


def plan(graph: Graph, known: OnRecord) -> tuple[Action, ...]:
    """Every work with its verb and its reason, in an order that can be executed."""
    keys = cache_keys(graph, known.identities)
    held = {w.id for w in graph if w.id in keys and is_held(w, keys[w.id], known)}
    wanted = wanted_by(graph.goals.values(), graph, held)
    roots = _roots(graph, held, wanted)
    expected = estimates(graph, known.seconds) if wanted - held else {}
    # What only cells out of reach need is not made: it would be of no use to anybody.
    useful = wanted
    if roots:
        reached = [goal for goal in graph.goals.values() if goal not in roots]
        useful = wanted_by(reached, graph, held)
    useless = wanted - useful - held
    actions = []
    for work in graph:
        root = roots.get(work.id, "")
        if root:
            verb, reason = Verb.BLOCKED, work.blocked or f"needs {root}"
        else:
            verb, reason = _verdict(graph, work, keys, held, useful, known)
            if work.id in useless:
                reason = USELESS
        estimate = expected.get(work.id) if verb.makes else None
        actions.append(
            Action(
                id=work.id,
                cell=work.cell,
                stage=work.stage,
                verb=verb,
                reason=reason,
                needs=work.needs,
                key=keys.get(work.id, ""),
                predicted_seconds=estimate.seconds if estimate else None,
                predicted_by=estimate.basis if estimate else None,
                blocked_by="" if root == work.id else root,
            )
        )
    return tuple(actions)


def is_held(work: Work, key: str, known: OnRecord) -> bool:
    """It is there: an image is known by its identity, a source by the tree or hash it has."""
    if work.stage is Stage.SOURCE:
        return work.material["identity"] in known.sources
    return work.stage is Stage.IMAGE or key in known.stored


def wanted_by(goals: Iterable[str], graph: Graph, held: set[str]) -> set[str]:
    """What has to exist now: these goals, what they judge where they are audits, and whatever a
    work that must be made needs. `held` is what is there already."""
    wanted: set[str] = set()
    queue = list(goals)
    while queue:
        one = queue.pop()
        if one not in wanted:
            wanted.add(one)
            work = graph.by_id[one]
            if one not in held:
                queue.extend(work.needs)
            elif work.stage is Stage.AUDIT:  # worth nothing once what it judged is gone
                queue.extend(work.needs[:1])
    return wanted


def _roots(graph: Graph, held: set[str], wanted: set[str]) -> dict[str, str]:
    """Of each work that cannot be made, the work that is the root of it: itself, or one below."""
    roots: dict[str, str] = {}
    for work in graph:  # needs come first
        if work.id in held or work.id not in wanted:
            continue
        root = work.id if work.blocked else next((roots[n] for n in work.needs if n in roots), "")
        if root:
            roots[work.id] = root
    return roots


def _verdict(
    graph: Graph,
    work: Work,
    keys: Mapping[str, str],
    held: set[str],
    wanted: set[str],
    known: OnRecord,
) -> tuple[Verb, str]:
    if work.id in held:
        return Verb.SKIP, f"stored as {keys[work.id][:12]}"
    if work.id not in wanted:
        return Verb.SKIP, "nothing needs it: all that is made from it is stored"
    if work.id not in keys and work.stage is not Stage.IMAGE:
        return Verb.RUN, f"the image of {work.toolchain} has to be made first"
    if work.id in known.unavailable:
        return Verb.RUN, f"try again; last time: {known.unavailable[work.id]}"
    old = known.material.get(work.id)
    if old is None:
        return Verb.RUN, "never made here"
    new = work.material if work.stage is Stage.IMAGE else material_of(work, keys)
    words = in_short(graph, old, new)
    return (Verb.RERUN, words) if words else (Verb.RUN, "its record is gone")
