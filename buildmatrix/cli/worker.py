"""What makes a Dask worker one of ours: `dask worker HOST:8786 --preload buildmatrix.cli.worker`.

It offers as many cores as the worker has threads, and the worker's memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from buildmatrix.cli import common
from buildmatrix.cluster.errands import EXTENSION
from buildmatrix.cluster.worker import Lines, Station
from buildmatrix.pipeline.workplace import Workplace


def dask_setup(worker: Any) -> None:
    """Called by Dask before the worker tells the scheduler of itself. What it raises Dask only
    logs, and a worker without a container engine offers nothing then."""
    chosen = os.environ.get("BUILDMATRIX_STATE", "")
    place = Workplace(
        state=Path(chosen).resolve() if chosen else user_cache_path("buildmatrix") / "worker",
        reporter=Lines(lambda _: None),
        mirror=common.mirror,
        index=common.index,
        jobs=worker.state.nthreads,
        engine_place=common.engine_place(),
        shared=os.environ.get("BUILDMATRIX_SHARED", ""),
        network=common.network(),
        memory_mib=(worker.memory_manager.memory_limit or 0) >> 20,
    )
    place.sweep()
    _ = place.engine
    station = Station(place)
    worker.extensions[EXTENSION] = station
    # Not `worker.set_resources`: it asks the scheduler, whom the worker does not know yet.
    worker.state.total_resources.update(station.offer)
    worker.state.available_resources.update(station.offer)
