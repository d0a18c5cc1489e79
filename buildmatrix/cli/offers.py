"""recipes, toolchains, models: what a project may name, where it comes from, a copy to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, state_of, workshop
from buildmatrix.shelf import project_folder

if TYPE_CHECKING:
    from buildmatrix.shelf import Kind

COPY = {"copy": "bring one home, into the project's own folder, to change it there"}


@command(COPY)
def recipes(_c: Any, matrix: str = "matrix.yaml", copy: str = "", json: bool = False) -> None:
    """List the recipes that a project may name, its own and those that are shipped."""
    _offered("recipes", project_folder(Path(matrix)), copy, json)


@command(COPY)
def models(_c: Any, matrix: str = "matrix.yaml", copy: str = "", json: bool = False) -> None:
    """List the models that a project may name, its own and those that are shipped."""
    _offered("models", project_folder(Path(matrix)), copy, json)


@command(
    {
        **COPY,
        "rebuild": "make the images from nothing",
        "lock": "list the images' packages in toolchains.lock, which builds are held to",
    },
    iterable=["only"],
)
def toolchains(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    rebuild: bool = False,
    lock: bool = False,
    copy: str = "",
    json: bool = False,
    state: str = "",
) -> None:
    """List toolchains and their images; make them anew, or lock them, and say what changed.

    Without --only those are locked that the matrix uses.
    """
    from buildmatrix.pipeline.documents import chosen_toolchains, toolchains_document
    from buildmatrix.pipeline.locking import renewed, used
    from buildmatrix.pipeline.project import load_toolchains

    root = project_folder(Path(matrix))
    if copy:
        _bring("toolchains", root, copy)
        return
    with progress() as reporter:
        chosen = chosen_toolchains(root, tuple(only or ()))
        changed = None
        if rebuild or lock:
            shop = workshop(matrix, [], state, reporter)
            names = [offer.name for offer in chosen] if rebuild or only else used(shop)
            changed = renewed(shop, names, rebuild=rebuild, lock=lock)
        there, where = load_toolchains(root), state_of(matrix, state)
        document = toolchains_document(chosen, there, state=where, changed=changed)
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import building_view

        print_table(building_view.toolchains(document))


def _offered(kind: Literal["recipes", "models"], root: Path, copy: str, json: bool) -> None:
    from buildmatrix.pipeline.documents import offers_document

    if copy:
        _bring(kind, root, copy)
        return
    document = offers_document(root, kind)
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import building_view

        print_table(building_view.offers(document))


def _bring(kind: Kind, root: Path, name: str) -> None:
    from buildmatrix.pipeline.bringing import bring

    for folder in bring(root, kind, name):
        say(f"written: {folder.relative_to(root)}/")


TASKS = (recipes, toolchains, models)
