"""The whole per-image score table as CSV, and what must be known beside it, for whoever computes something else."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from derainbench.results import SCORE_COLUMNS

from ..content import Content
from ..provenance import warning_words


def scores_csv(content: Content) -> str:
    """One row an image and protocol, all digits, ``inf`` for identical images and an empty field for NaN.

    The last column says whether somebody vouches for the weights (see :attr:`MethodInRun.unverified`).
    """
    scores = content.results.scores
    unverified = {method.name for method in content.results.methods if method.unverified}
    columns = [_numbers(scores[name]) if kind == "float64" else _texts(scores[name]) for name, kind in _COLUMNS]
    columns.append(_texts(~scores["method"].isin(unverified)))
    head = ",".join([*SCORE_COLUMNS, "verified"])
    # half a million rows: joined column by column, not row by row
    lines = pc.binary_join_element_wise(*columns, ",")
    return "\n".join([head, *lines.to_pylist()]) + "\n"


def scores_notes(content: Content) -> str:
    """What a CSV file cannot say, a line each: the recipe's warning, unverified weights, every note and notice."""
    source = content.source
    lines = [] if source.comparable else ["".join(warning_words(source.recipe)) + "."]
    lines += [change.line for change in source.changes]
    lines += dict.fromkeys(note for table in content.tables for note in table.notes)
    lines += [*source.notices, *(f"failed: {failure.cell}: {failure.error}" for failure in content.results.failures)]
    return "".join(f"{' '.join(line.split())}\n" for line in lines)


_COLUMNS = tuple(SCORE_COLUMNS.items())


def _texts(values: pd.Series) -> pa.Array:
    """Few different values, many times: each is written once."""
    codes, different = pd.factorize(values)
    return pa.array([_field(str(value)) for value in different], pa.string()).take(pa.array(codes))


def _numbers(values: pd.Series) -> pa.Array:
    """The shortest decimals that are these floats; nothing for NaN."""
    known = pa.array(values.to_numpy(np.float64), from_pandas=True)  # NaN is null
    return pc.cast(known, pa.string()).fill_null("")


def _field(text: str) -> str:
    """``text`` as CSV has it: in quotation marks where it needs them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([text])  # line ends of both kinds are quoted
    return line.getvalue().removesuffix("\r\n")
