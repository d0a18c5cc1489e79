"""How long a build would take on this machine, and the chain of works that it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.schedule.forecast import forecast
from buildmatrix.schedule.sizing import tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.documents.building import ForecastRow
    from buildmatrix.nouns import Action
    from buildmatrix.pipeline.workshop import Workshop


def forecast_row(workshop: Workshop, actions: Sequence[Action]) -> ForecastRow:
    """All that these actions would make, played through as a build would make it now."""
    wanted = [action for action in actions if action.verb.makes]
    planned = tasks(wanted, workshop.project.graph.by_id, workshop.machine)
    seconds = {task.id: task.seconds for task in planned}
    played = forecast(planned, workshop.machine.budget())
    return {
        "seconds": round(played.seconds, 1),
        "one_at_a_time": round(sum(seconds.values()), 1),
        "critical_path": list(played.critical_path),
        "critical_seconds": round(sum(seconds[name] for name in played.critical_path), 1),
        "guessed": sum(action.predicted_by == "guess" for action in wanted),
    }
