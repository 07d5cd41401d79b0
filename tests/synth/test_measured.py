"""Synthetic sets on real photographs beside the published sets, and the published numbers themselves."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from derainbench.images.decode import read_pair, read_rgb
from derainbench.metrics.scores import score
from derainbench.rain import streak_statistics
from derainbench.synth.measured import evenly_spaced, side_by_side, summary
from derainbench.synth.real_sets import RAIN100H_STUDY, RAIN100L, RAIN100L_STUDY, RealSet
from derainbench.synth.request import Request
from derainbench.synth.synthesize import Synthesized, synthesize


@pytest.mark.slow
def test_rain100l_measures_what_is_written_down(shared: Path) -> None:
    """Every number of the re-measured set, to its last digit."""
    folder = shared / "data" / "Rain100L"
    if not folder.is_dir():
        pytest.skip(f"no Rain100L at {folder}")
    rows = []
    for n in range(1, 101):
        rainy, clean = read_pair(folder / "rainy" / f"rain-{n:03d}.png", folder / f"norain-{n:03d}.png")
        restored, target = (
            torch.from_numpy(np.array(each.transpose(2, 0, 1))).double()[None] / 255 for each in (rainy, clean)
        )
        scores = score(restored, target, "y")
        rows.append(asdict(streak_statistics(rainy, clean)) | {"psnr": float(scores.psnr), "ssim": float(scores.ssim)})
    found = summary(rows)
    assert set(RAIN100L.spreads) | {"direction"} == set(found)
    for key, spread in RAIN100L.spreads.items():
        for text, value in ((spread.mean, "mean"), (spread.low, "min"), (spread.high, "max")):
            digits = len(str(text).partition(".")[2])
            assert found[key][value] == pytest.approx(text, abs=0.51 * 10**-digits), key
    assert [found["direction"][p] for p in ("p5", "p50", "p95")] == pytest.approx(RAIN100L.direction, abs=0.06)


def fifty_photographs(shared: Path, out: Path, preset: str) -> Synthesized:
    """Rain on every second of the first hundred photographs, as linked into a folder."""
    files = sorted((shared / "data" / "photographs").glob("*.jpg"))[:100:2]
    if len(files) < 50:
        pytest.skip(f"no fifty photographs under {shared / 'data'}")
    (out / "clean").mkdir()
    for file in files:
        (out / "clean" / file.name).symlink_to(file)
    outcome = synthesize(Request(preset, out / "clean", out / "made"), workers=2)
    assert (outcome.made, len(outcome.measured)) == (50, 50)
    return outcome


def check_ranges(outcome: Synthesized, real: RealSet, psnr: float) -> None:
    """Means within the published set's range; the input's PSNR within 1.5 dB of its mean."""
    found = summary(outcome.measured)
    for key, spread in real.spreads.items():
        if spread.low is not None and spread.high is not None:
            assert spread.low <= found[key]["mean"] <= spread.high, key
    assert found["psnr"]["mean"] == pytest.approx(psnr, abs=1.5)


@pytest.mark.slow
def test_rain100l_on_fifty_photographs(shared: Path, tmp_path: Path) -> None:
    outcome = fifty_photographs(shared, tmp_path, "rain100l")
    check_ranges(outcome, RAIN100L_STUDY, 26.90)
    check_ranges(outcome, RAIN100L, 26.90)
    for row in outcome.measured:  # each image within what the hundred real ones span
        assert 0.089 <= row["coverage"] <= 0.403
        assert 14.5 <= row["mean_on_rain"] <= 45.0
        assert 11.0 <= row["percentile_95"] <= 76.0
    found = summary(outcome.measured)["direction"]
    assert (found["p5"], found["p50"], found["p95"]) == pytest.approx((69, 90, 111), abs=5.0)
    text = side_by_side("rain100l", "made", outcome.measured)
    assert "Rain100L (100)" in text
    assert "26.90 (20.24-34.53)" in text


@pytest.mark.slow
def test_rain100h_on_fifty_photographs(shared: Path, tmp_path: Path) -> None:
    outcome = fifty_photographs(shared, tmp_path, "rain100h")
    check_ranges(outcome, RAIN100H_STUDY, 13.60)
    assert summary(outcome.measured)["newly_saturated"]["mean"] == pytest.approx(0.07, abs=0.03)


def test_measured_rows_are_those_of_the_files(photos: Path, tmp_path: Path) -> None:
    outcome = synthesize(Request("rain100l", photos, tmp_path / "out"), workers=1)
    rainy, clean = (read_rgb(tmp_path / "out" / "test" / role) for role in ("rainy/c-0.png", "clean/c.png"))
    expected = asdict(streak_statistics(rainy, clean))
    row = outcome.measured[2]
    for key in expected.keys() & row.keys():
        assert row[key] == pytest.approx(expected[key], abs=6e-7)
    luma = (rainy.astype(float) - clean) @ np.array([65.481, 128.553, 24.966]) / 255
    assert row["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean(luma**2)), abs=2e-6)


def test_the_images_that_are_measured() -> None:
    assert evenly_spaced(3) == [0, 1, 2]
    assert evenly_spaced(100) == list(range(100))
    many = evenly_spaced(30_000)
    assert (many[0], many[-1], len(many)) == (150, 29_850, 100)
    assert evenly_spaced(0) == []


def test_an_image_without_a_quantity_is_left_out() -> None:
    rows = [{"coverage": 0.2, "length": 4.0}, {"coverage": 0.4}]
    found = summary(rows)
    assert found["coverage"] == pytest.approx({"mean": 0.3, "min": 0.2, "max": 0.4})
    assert found["length"] == {"mean": 4.0, "min": 4.0, "max": 4.0}
    line = next(line for line in side_by_side("rain100l", "made", rows).splitlines() if "width" in line)
    assert line.split()[3] == "-"
