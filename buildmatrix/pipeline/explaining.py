"""Why a cell would be made again: every change against what is stored, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.changed import Change, changes_of
from buildmatrix.nouns import Stage, Verb
from buildmatrix.pipeline.differing import Differing
from buildmatrix.pipeline.documents import action_rows
from buildmatrix.pipeline.planning import on_record
from buildmatrix.plan import material_of, plan
from buildmatrix.recipe import FolderAlternate, SourceSpec

if TYPE_CHECKING:
    from buildmatrix.changed import Files
    from buildmatrix.documents.building import Why
    from buildmatrix.nouns import Action
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.plan import OnRecord
    from buildmatrix.works import Graph


def why_document(workshop: Workshop) -> Why:
    """What of the selected cells is not stored as it is now, each with all that changed in it."""
    graph, known = workshop.project.graph, on_record(workshop)
    files = Differing(workshop)
    actions = plan(graph, known)
    keys = {action.id: action.key for action in actions if action.key}
    changed = tuple(action for action in actions if action.verb is not Verb.SKIP)
    rows = action_rows(changed)
    return {
        "version": 1,
        "actions": [
            {
                **row,
                "changes": [
                    {"words": change.words, "lines": list(change.lines)}
                    for change in _changes(graph, known, action, keys, files)
                ],
            }
            for row, action in zip(rows, changed, strict=True)
        ],
    }


def _changes(
    graph: Graph, known: OnRecord, action: Action, keys: dict[str, str], files: Files
) -> tuple[Change, ...]:
    work, old = graph.by_id[action.id], known.material.get(action.id)
    if action.verb is Verb.RERUN and old is not None:
        new = work.material if work.stage is Stage.IMAGE else material_of(work, keys)
        return changes_of(graph, old, new, files)
    subject = work.subject
    if action.verb is Verb.RUN and isinstance(subject, SourceSpec):
        first = subject.alternates[0]
        if isinstance(first, FolderAlternate):
            return (Change(f"the folder {first.path} is not stored as it is now"),)
    return ()
