"""The scores of a run as a table: a row for each image, protocol and metric, or, wide, a column for each metric."""

from __future__ import annotations

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

#: The same with a column for each metric, one row an image and protocol: as cells and ``scores.csv`` keep it.
WIDE_COLUMNS: dict[str, str] = {**PLACE_COLUMNS, **dict.fromkeys(METRICS, "float64")}


def as_long(wide: pd.DataFrame) -> pd.DataFrame:
    """:data:`WIDE_COLUMNS` to :data:`SCORE_COLUMNS`; the metrics of an image and protocol follow each other."""
    places = wide[[*PLACE_COLUMNS]].loc[wide.index.repeat(len(METRICS))].reset_index(drop=True)
    values = wide[[*METRICS]].to_numpy(dtype=np.float64, na_value=np.nan).ravel()
    return places.assign(metric=np.tile([*METRICS], len(wide)), value=values).astype(SCORE_COLUMNS)


def as_wide(long: pd.DataFrame) -> pd.DataFrame:
    """:data:`SCORE_COLUMNS` to :data:`WIDE_COLUMNS`, in the order of the images; NaN where there is no such score."""
    of_each = {name: long[long["metric"] == name].reset_index(drop=True) for name in METRICS}
    places, *others = (rows[[*PLACE_COLUMNS]] for rows in of_each.values())
    if all(other.equals(places) for other in others):
        return places.assign(**{name: rows["value"] for name, rows in of_each.items()}).astype(WIDE_COLUMNS)
    wide = long[[*PLACE_COLUMNS]].drop_duplicates()
    for name, rows in of_each.items():
        renamed = rows[[*PLACE_COLUMNS, "value"]].rename(columns={"value": name})
        wide = wide.merge(renamed, on=[*PLACE_COLUMNS], how="left")
    return wide.astype(WIDE_COLUMNS)
