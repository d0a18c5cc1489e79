"""The answers that were kept with the runs, held against each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from buildmatrix.agreement import Agreement, Answer, Difference, differences
from buildmatrix.bench.journal import readable
from buildmatrix.errors import InputError
from buildmatrix.network import QuantizedNetwork
from buildmatrix.workload import REFERENCE, Calls, answerer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.documents.verdicts import Agree, DifferenceRow
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.verdicts.reporting import RowsWithNotes


def agreement(workshop: Workshop, measured: RowsWithNotes) -> Agreement:
    """The newest answers held against each other."""
    answers = (*_answers(measured), _reference(workshop))
    return Agreement(answers, differences(answers))


def agreement_document(agreed: Agreement, *, model: str) -> Agree:
    """Every pair of cells that ran, and the reference: worst difference and where it is.

    Raises InputError when nothing was measured.
    """
    if len(agreed.answers) == 1:
        raise InputError("no answer is kept yet", hint="measure first: inv bench --collect")
    return {
        "version": 1,
        "model": model,
        "outputs": len(agreed.answers[-1].output),
        "answerer": agreed.answers[-1].cell,
        "cells": [
            {
                "cell": answer.cell,
                "number_format": answer.number_format,
                "against_reference": _difference(reference) if reference else None,
                "worst": _difference(worst) if worst else None,
            }
            for answer, reference, worst in agreed.rows
        ],
        "pairs": [_difference(pair) for pair in agreed.pairs],
    }


def _difference(pair: Difference) -> DifferenceRow:
    return {
        "one": pair.one,
        "other": pair.other,
        "relative": pair.relative if math.isfinite(pair.relative) else None,  # JSON has no infinity
        "at": pair.at,
        "values": pair.values,
    }


def _answers(measured: RowsWithNotes) -> Iterator[Answer]:
    """One for each cell: of its newest run, the smallest batch that gave a whole answer.

    A wrong answer is one too: that is what a reader wants to see.
    """
    journals = {run.id: {b.block: b for b in readable(run.journal).blocks} for run in measured.runs}
    seen: set[str] = set()
    for row in measured.rows:
        for block in row.blocks:
            ran = journals.get(row.run, {}).get(block.block)
            result = ran.result if ran else None
            output = result.get("output") if result else None
            if row.cell not in seen and output and None not in output:
                seen.add(row.cell)
                yield Answer(row.cell, str((result or {}).get("number_format")), tuple(output))


def _reference(workshop: Workshop) -> Answer:
    from buildmatrix.export import prepared

    net = workshop.project.network
    if isinstance(net, Calls):
        return Answer(REFERENCE, "float64", (1.0,))  # the benchmark's own expectation
    *_, expected = prepared(net)
    numbers = "int8" if isinstance(net, QuantizedNetwork) else "float64"
    return Answer(answerer(net), numbers, tuple(float(value) for value in expected.ravel()))
