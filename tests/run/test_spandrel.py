"""Networks by spandrel through ``run`` and ``report``: five of them, their licences, and their files' hashes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from derainbench.methods._spandrel_library import library
from tests.helpers.spandrel_files import NEEDS_SPANDREL, NETWORKS, TITLES, saved

from .conftest import Workshop

pytestmark = NEEDS_SPANDREL

RESTRICTED = ("restormer", "mprnet", "m3snet")


@pytest.mark.slow
def test_five_networks_are_run_and_reported(workshop: Workshop) -> None:
    names = {name: f"spandrel[file={name}.pth,trained_on=elsewhere]" for name in NETWORKS}
    files = {name: saved(workshop.folder, name) for name in NETWORKS}
    done = workshop(workshop.arguments(",".join(names.values()), recipe=""))
    assert done.returncode == 0, done.stderr
    loader = library().spandrel.ModelLoader(registry=library().registry)
    rainy = np.asarray(Image.open(workshop.folder / "data" / "test" / "rainy" / "x.png"))
    for name, word in names.items():
        theirs = loader.load_from_file(files[name])(torch.tensor(rainy).permute(2, 0, 1)[None] / 255)
        (kept,) = (workshop.folder / "run" / "eval" / word).rglob("x.png")
        expected = (theirs[0].permute(1, 2, 0) * 255).round().byte().numpy()
        assert np.array_equal(np.asarray(Image.open(kept)), expected)
    assert workshop(["report", "run"]).returncode == 0
    table = (workshop.folder / "run" / "report" / "report.md").read_text()
    for name, word in names.items():
        assert f"| {TITLES[name]} (file={name}.pth) (trained on elsewhere)" in table
        (note,) = {line for line in table.splitlines() if line.startswith(f"- {word[:-1]}") and "vouches" in line}
        of_code = f"of {TITLES[name]}'s code: "
        assert of_code + ("Academic Public License, non-commercial" if name in RESTRICTED else "permissive") in note


def test_another_file_of_the_same_name_is_measured_anew(workshop: Workshop) -> None:
    saved(workshop.folder, "nafnet")
    command = workshop.arguments("spandrel[file=nafnet.pth]", recipe="", baseline="none")
    assert "run: 1 done, 0 kept" in workshop(command).stdout
    assert "run: 0 done, 1 kept" in workshop(command).stdout
    saved(workshop.folder, "nafnet", seed=1)
    assert "run: 1 done, 0 kept" in workshop(command).stdout
    record = json.loads((workshop.folder / "run" / "run.json").read_text())
    (method,) = record["methods"]
    assert (method["title"], method["weights"]["tag"]) == ("NAFNet (file=nafnet.pth)", "")
