"""The whole per-image score table as CSV, and what must be known beside it, for whoever computes something else."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from derainbench.results.score_table import as_wide, wide_columns

from ..comparison.provenance import warning_words
from ..content import Content


def scores_csv(content: Content) -> str:
    """One row an image and protocol, all digits, ``inf`` for identical images and an empty field for NaN.

    The last column says whether somebody vouches for the weights (see :attr:`MethodInRun.unverified`). A text that a
    spreadsheet would take for a formula has an apostrophe before it (:func:`harmless`).
    """
    scores = as_wide(content.results.scores)
    unverified = {method.name for method in content.results.methods if method.unverified}
    names = wide_columns()
    columns = [_column(scores[name], kind) for name, kind in names.items()]
    columns.append(_texts(~scores["method"].isin(unverified), str))
    head = ",".join([*names, "verified"])
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


def harmless(text: str) -> str:
    """``text`` that no spreadsheet takes for a formula: after an apostrophe where it begins like one.

    Names of files and folders are anybody's, and ``=HYPERLINK(...)`` is a name. Where a text begins with apostrophes
    before such a character there is one more of them: without its first one it is the name again.
    """
    return f"'{text}" if _FORMULA.match(text) else text


_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def _column(values: pd.Series, kind: str) -> pa.Array:
    if kind == "float64":
        return _numbers(values)
    return _texts(values, harmless) if kind == "string" else _texts(values, str)


def _texts(values: pd.Series, written: Callable[[Any], str]) -> pa.Array:
    """Few different values, many times: each is written once."""
    codes, different = pd.factorize(values)
    return pa.array([_field(written(value)) for value in different], pa.string()).take(pa.array(codes))


def _numbers(values: pd.Series) -> pa.Array:
    """The shortest decimals that are these floats; nothing for NaN."""
    known = pa.array(values.to_numpy(np.float64), from_pandas=True)  # NaN is null
    return pc.cast(known, pa.string()).fill_null("")


def _field(text: str) -> str:
    """``text`` as CSV has it: in quotation marks where it needs them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([text])  # line ends of both kinds are quoted
    return line.getvalue().removesuffix("\r\n")
