"""What a runner tells beside its times, and whether that is what was asked for: the processors it
was bound to, what it took pictures for, what its layers take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.nouns import ALL_CORES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.bench.request import Request

RIGHT, LAYERS, CORES = "held_out", "layers", "cores"  # in a measurement's environment


def unlike(result: Mapping[str, Any], request: Request, labels: Sequence[int]) -> str:
    """In which way a runner's line is no answer to what was asked beside times; empty: in none."""
    if request.cores != ALL_CORES and result.get("cores") != request.cores:
        return f"asked for cores {request.cores}, the runner says {result.get('cores') or 'none'}"
    classes = result.get("classes")
    if classes is not None and len(classes) != len(labels):
        return f"{len(classes)} answers for {len(labels)} pictures that were held out"
    return ""


def environment(
    result: Mapping[str, Any], request: Request, labels: Sequence[int]
) -> dict[str, object]:
    """What is kept of it with a measurement; JSON types only. Nothing where nothing was asked."""
    facts: dict[str, object] = {}
    if request.cores != ALL_CORES:
        facts[CORES] = request.cores
    classes = result.get("classes")
    if classes and len(classes) == len(labels):
        right = sum(one == label for one, label in zip(classes, labels, strict=True))
        facts[RIGHT] = {"right": right, "of": len(labels)}
    if result.get("layers"):
        facts[LAYERS] = {"passes": result.get("passes"), "rows": result["layers"]}
    elif result.get("layers_message"):
        facts[LAYERS] = {"silent": str(result["layers_message"])}
    return facts
