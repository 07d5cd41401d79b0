"""Imported by the process whose forks try commands: everything, and a first file of a table, which takes long too."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import torch

from tests.helpers.imported import import_everything

import_everything()
torch.set_num_threads(1)
with tempfile.TemporaryDirectory() as _place:
    pd.DataFrame({"a": ["b"]}).to_parquet(Path(_place, "warm"))
