"""The scores of a run as a table: a row for each image, protocol and metric, or, wide, a column for each metric."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from derainbench.metrics.kinds import METRICS

#: What says of which image a score is, how it was restored, and under which protocol it was measured. ``tile`` is the
#: side in pixels of the tiles in which the image was restored, 0 for as a whole.
PLACE_COLUMNS: dict[str, str] = {
    "method": "string",
    "trained_on": "string",
    "seed": "int64",
    "dataset": "string",
    "image": "string",
    "scene": "string",
    "height": "int64",
    "width": "int64",
    "tile": "int64",
    "protocol": "string",
}

#: The score table, one row an image, protocol and metric (:data:`derainbench.metrics.kinds.METRICS`). A PSNR is in dB
#: and may be ``inf``; an SSIM may be NaN.
SCORE_COLUMNS: dict[str, str] = {**PLACE_COLUMNS, "metric": "string", "value": "float64"}


def wide_columns(metrics: Iterable[str] | None = None) -> dict[str, str]:
    """The same with a column for each metric (all there are), one row an image and protocol: as cells keep it."""
    return {**PLACE_COLUMNS, **dict.fromkeys(METRICS if metrics is None else metrics, "float64")}


def as_long(wide: pd.DataFrame) -> pd.DataFrame:
    """:func:`wide_columns` to :data:`SCORE_COLUMNS`; the metrics of an image and protocol follow each other.

    A metric without a column has no rows, nor has one under a protocol that does not measure it.
    """
    metrics = [name for name in METRICS if name in wide.columns]
    places = wide[[*PLACE_COLUMNS]].loc[wide.index.repeat(len(metrics))].reset_index(drop=True)
    values = wide[metrics].to_numpy(dtype=np.float64, na_value=np.nan).ravel()
    long = places.assign(metric=np.tile(metrics, len(wide)), value=values).astype(SCORE_COLUMNS)
    for name in metrics:
        others = [each for each in long["protocol"].unique() if not METRICS[name].measured_under(each)]
        if others:
            long = long[(long["metric"] != name) | ~long["protocol"].isin(others)]
    return long.reset_index(drop=True)


def as_wide(long: pd.DataFrame) -> pd.DataFrame:
    """:data:`SCORE_COLUMNS` to :func:`wide_columns`, in the order of the images; NaN where there is no such score."""
    of_each = {name: rows.reset_index(drop=True) for name in METRICS if len(rows := long[long["metric"] == name])}
    places, *others = [rows[[*PLACE_COLUMNS]] for rows in of_each.values()] or [long[[*PLACE_COLUMNS]]]
    if all(other.equals(places) for other in others):
        wide = places.assign(**{name: rows["value"] for name, rows in of_each.items()})
    else:
        wide = long[[*PLACE_COLUMNS]].drop_duplicates()
        for name, rows in of_each.items():
            renamed = rows[[*PLACE_COLUMNS, "value"]].rename(columns={"value": name})
            wide = wide.merge(renamed, on=[*PLACE_COLUMNS], how="left")
    columns = wide_columns()
    return wide.reindex(columns=[*columns]).astype(columns)
