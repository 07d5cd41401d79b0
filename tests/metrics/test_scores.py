"""Metric protocols: the field's own numbers, scikit-image as an oracle, closed forms and invariants."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from derainbench.errors import UserError
from derainbench.images.quantisation import Quantisation
from derainbench.images.tensors import grey_levels, to_array
from derainbench.metrics.protocols import DEFAULT_PROTOCOLS, PROTOCOLS, get_protocol
from derainbench.metrics.scores import Scores, score, score_all
from derainbench.stats.means import finite_mean

ORACLE: Any = skimage.metrics  # has no type annotations
TOLERANCES = {torch.float64: (1e-6, 1e-7), torch.float32: (1e-3, 2e-5)}  # dB, SSIM
UNIFORM = ("rgb-float-u7", "rgb-float-u7-range2")
every_protocol = pytest.mark.parametrize("protocol", list(PROTOCOLS))
every_dtype = pytest.mark.parametrize("dtype", list(TOLERANCES), ids=str)


def noisy(clean: Tensor, sigma: float, seed: int = 1) -> Tensor:
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed), dtype=clean.dtype)
    return (clean + sigma * noise).clamp(0, 1)


def picture(height: int, width: int, batch: int = 1, seed: int = 0) -> Tensor:
    """Smooth, differently coloured waves: (B, 3, H, W) float64 strictly inside [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    frequency, phase = (torch.rand(batch, 3, 2, 1, 1, generator=random, dtype=torch.float64) for _ in range(2))
    rows = torch.arange(height, dtype=torch.float64).view(height, 1)
    columns = torch.arange(width, dtype=torch.float64)
    waves = (frequency[:, :, 0] * rows / 3 + frequency[:, :, 1] * columns / 3 + 6 * phase[:, :, 0]).sin()
    return 0.5 + 0.4 * waves


def grey(level: int, height: int = 16, width: int = 20) -> Tensor:
    return torch.full((1, 3, height, width), level / 255, dtype=torch.float64)


def loaded(path: Path) -> Tensor:
    return torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy()).permute(2, 0, 1)[None].double() / 255


# Golden values -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:SSIM is undefined")
@every_dtype
def test_golden_pairs(shared: Path, dtype: torch.dtype) -> None:
    golden = json.loads((shared / "golden/metrics.json").read_text())
    arrays = np.load(shared / "golden/metrics_pairs.npz")
    assert len(golden) == 14
    wrong = []
    for pair, expected in golden.items():
        restored, clean = (
            torch.from_numpy(arrays[f"{pair}__{side}"]).permute(2, 0, 1)[None].to(dtype) / 255
            for side in ("restored", "clean")
        )
        for name, scores in score_all(restored, clean, [n for n in PROTOCOLS if n in expected]).items():
            assert scores["psnr"].dtype == scores["ssim"].dtype == dtype
            for (measure, value), tolerance in zip(scores.items(), TOLERANCES[dtype], strict=True):
                truth = float(expected[name][measure])
                if not np.isclose(float(value), truth, rtol=0, atol=tolerance, equal_nan=True):
                    wrong.append((pair, name, measure, float(value), truth))
    assert wrong == []


@pytest.mark.slow
def test_rain100l_input_scores_as_published(shared: Path) -> None:
    folder = shared / "data/Rain100L"
    scores: dict[str, list[Scores]] = {"y": [], "rgb-float-u7": []}
    for rainy in sorted((folder / "rainy").glob("rain-*.png")):
        measured = score_all(loaded(rainy), loaded(folder / f"no{rainy.name}"), scores)
        for name, values in scores.items():
            values.append(Scores(**measured[name]))
    assert [len(values) for values in scores.values()] == [100, 100]
    for name, psnr, decibels, ssim in (("y", 26.901, 5e-4, 0.8384), ("rgb-float-u7", 25.52, 5e-3, 0.8140)):
        mean, infinite = finite_mean(value.psnr for value in scores[name])
        assert mean == pytest.approx(psnr, abs=decibels)
        assert infinite == 0
        mean, _ = finite_mean(value.ssim for value in scores[name])
        assert mean == pytest.approx(ssim, abs=5e-5)


# scikit-image ------------------------------------------------------------------------------------------------------

WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
ORACLES: dict[str, tuple[Callable[[Any], Any], int, dict[str, Any]]] = {
    "rgb": (lambda image: np.rint(image * 255), 255, {"data_range": 255, **WANG}),
    "rgb-float-u7": (lambda image: image, 1, {"data_range": 1}),
    "rgb-float-u7-range2": (lambda image: image, 1, {"data_range": 2}),
}


@every_dtype
@pytest.mark.parametrize("size", [(11, 11), (40, 53), (97, 31)])
@pytest.mark.parametrize("protocol", ORACLES)
def test_agrees_with_scikit_image(protocol: str, size: tuple[int, int], dtype: torch.dtype) -> None:
    clean = picture(*size, batch=2).to(dtype)
    restored = noisy(clean, 0.1)
    scores = score(restored, clean, protocol)
    quantise, peak, options = ORACLES[protocol]
    for i in range(2):
        x, y = (quantise(image[i].permute(1, 2, 0).double().numpy()) for image in (restored, clean))
        psnr = ORACLE.peak_signal_noise_ratio(y, x, data_range=peak)
        ssim = ORACLE.structural_similarity(y, x, channel_axis=2, **options)
        assert scores.psnr[i].item() == pytest.approx(psnr, abs=TOLERANCES[dtype][0])
        assert scores.ssim[i].item() == pytest.approx(ssim, abs=TOLERANCES[dtype][1])


@pytest.mark.parametrize(("size", "factor"), [((383, 384), 1), ((384, 390), 2), ((645, 640), 3), ((900, 896), 4)])
def test_y_downsamples_by_the_short_side_over_256_halves_up(size: tuple[int, int], factor: int) -> None:
    clean = picture(*size)
    restored = noisy(clean, 0.1)
    lumas = []
    for image in (restored, clean):
        luma = np.rint(image[0].permute(1, 2, 0).numpy() * 255) @ (65.481, 128.553, 24.966) / 255 + 16
        # MATLAB's imfilter(..., 'symmetric') puts the box on pixel floor((f + 1) / 2), counted from 1.
        before = (factor + 1) // 2 - 1
        padded = np.pad(luma, (before, factor - 1 - before), mode="symmetric")
        boxes = np.lib.stride_tricks.sliding_window_view(padded, (factor, factor)).mean(axis=(2, 3))
        lumas.append(boxes[::factor, ::factor])
    ssim = ORACLE.structural_similarity(*lumas, data_range=255, **WANG)
    assert score(restored, clean, "y").ssim.item() == pytest.approx(ssim, abs=1e-10)


# Closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["rgb", *UNIFORM, "rgb-zeropad"])
def test_psnr_of_two_greys(protocol: str) -> None:
    assert score(grey(110), grey(100), protocol).psnr.item() == pytest.approx(20 * math.log10(255 / 10), abs=1e-5)


def test_limited_range_luma_gains_its_1_3219_db_on_a_grey_error() -> None:
    scores = score_all(grey(110), grey(100), ["y", "rgb"])
    assert (scores["y"]["psnr"] - scores["rgb"]["psnr"]).item() == pytest.approx(20 * math.log10(255 / 219), abs=1e-9)


def test_whole_level_luma_of_two_greys() -> None:
    """Levels 100 and 110 have Y 101.88 and 110.47: 8 whole levels apart."""
    assert score(grey(110), grey(100), "y-u8").psnr.item() == pytest.approx(20 * math.log10(255 / 8), abs=1e-9)


@every_dtype
@pytest.mark.parametrize("protocol", ["rgb", *UNIFORM])
def test_ssim_of_two_bright_flat_images_is_their_luminance_term(protocol: str, dtype: torch.dtype) -> None:
    x, y = (250 / 255, 245 / 255)
    c1 = (0.01 * (2 if protocol == "rgb-float-u7-range2" else 1)) ** 2
    expected = (2 * x * y + c1) / (x * x + y * y + c1)
    ssim = score(grey(250).to(dtype), grey(245).to(dtype), protocol).ssim.item()
    assert ssim == pytest.approx(expected, abs=TOLERANCES[dtype][1])


def test_quantisation_separates_the_protocols() -> None:
    """An error below half a grey level exists in float and is gone in 8 bit."""
    clean = grey(100, 24, 32)
    scores = score_all(clean + 0.4 / 255, clean, PROTOCOLS)
    for name in ("y", "y-u8", "rgb", "y-float", "y-full", "y-crop4"):
        assert scores[name]["psnr"].item() == math.inf
    for name in ("y-yiq", "pyiqa-rgb"):
        assert scores[name]["psnr"].item() == pytest.approx(80, abs=1e-9)
    for name in (*UNIFORM, "rgb-zeropad", "rgb-msssim"):
        assert scores[name]["psnr"].item() == pytest.approx(20 * math.log10(255 / 0.4), abs=1e-4)


def test_truncation_is_what_uint8_does_and_float_protocols_do_not_care() -> None:
    """Levels 100 to 100.9 are 100 in files that ``uint8(255 * x)`` wrote; the clean image is 8 bit already."""
    clean = grey(100, 24, 32)
    restored = clean + 0.9 / 255
    rounded, truncated = (score_all(restored, clean, PROTOCOLS, how) for how in ("round", "truncate"))
    for name, protocol in PROTOCOLS.items():
        if protocol.eight_bit:
            assert truncated[name]["psnr"].item() == (80 if protocol.psnr.epsilon else math.inf)
            assert rounded[name]["psnr"].item() == score(grey(101, 24, 32), clean, name).psnr.item() < 52
        else:
            assert truncated[name] == rounded[name]


@every_dtype
@pytest.mark.parametrize("quantisation", ["round", "truncate"])
def test_whole_grey_levels_survive_quantisation(quantisation: Quantisation, dtype: torch.dtype) -> None:
    """Of an image that was 8 bit: truncation in float64 would darken some levels by one."""
    levels = torch.arange(256, dtype=torch.uint8)
    image = (levels.float() / 255).to(dtype)
    assert torch.equal(grey_levels(image, quantisation), levels.to(dtype))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_files_and_protocols_quantise_alike(seed: int) -> None:
    restored = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(seed))
    file = torch.from_numpy(to_array(restored[0], "truncate")).permute(2, 0, 1)[None].double() / 255
    assert np.array_equal(to_array(restored[0], "truncate"), np.uint8(255 * restored[0].permute(1, 2, 0).numpy()))
    assert score(restored.double(), file, "y", "truncate").psnr.item() == math.inf


# Invariants --------------------------------------------------------------------------------------------------------


@every_dtype
@every_protocol
def test_identical_images(protocol: str, dtype: torch.dtype) -> None:
    image = (picture(24, 19) * 255).round().div(255).to(dtype)
    psnr, ssim = score(image, image.clone(), protocol)
    capped = {"rgb-zeropad": 100, "y-yiq": 80, "pyiqa-rgb": 80}
    assert psnr.item() == pytest.approx(capped.get(protocol, math.inf), abs=1e-5)
    assert ssim.item() == pytest.approx(1, abs=1e-6)


@every_protocol
def test_more_noise_scores_lower(protocol: str) -> None:
    clean = picture(48, 40)
    ladder = [score(noisy(clean, sigma), clean, protocol) for sigma in (0.02, 0.05, 0.1, 0.2)]
    for better, worse in pairwise(ladder):
        assert better.psnr > worse.psnr
        assert better.ssim > worse.ssim


sizes = st.tuples(st.integers(19, 34), st.integers(19, 34))  # of which every protocol leaves a window


@every_protocol
@settings(max_examples=8, deadline=None)
@given(size=sizes, sigma=st.floats(0.01, 0.5), seed=st.integers(0, 99))
def test_symmetric_clamped_bounded_and_the_same_in_a_batch(
    protocol: str, size: tuple[int, int], sigma: float, seed: int
) -> None:
    clean = picture(*size, batch=3, seed=seed)
    restored = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed)).double()
    together = score(restored, clean, protocol)
    assert together.psnr.shape == together.ssim.shape == (3,)
    assert bool((together.ssim <= 1).all())
    others = {
        "one by one": [score(restored[i : i + 1], clean[i : i + 1], protocol) for i in range(3)],
        "not contiguous": [score(restored.contiguous(memory_format=torch.channels_last), clean, protocol)],
    }
    if PROTOCOLS[protocol].clamped:
        others["clamped before"] = [score(restored.clamp(0, 1), clean, protocol)]
    if PROTOCOLS[protocol].levels != "truncate":  # which the clean image never is
        others["swapped"] = [score(clean, restored, protocol)]
    for how, parts in others.items():
        for value, again in zip(together, map(torch.cat, zip(*parts, strict=True)), strict=True):
            torch.testing.assert_close(again, value, rtol=0, atol=1e-10, msg=how)


def test_several_protocols_at_once_score_as_each_alone() -> None:
    clean = picture(30, 26)
    restored = noisy(clean, 0.1)
    together = score_all(restored, clean, [*DEFAULT_PROTOCOLS, PROTOCOLS["rgb-zeropad"]])
    assert list(together) == [*DEFAULT_PROTOCOLS, "rgb-zeropad"]
    for name, scores in together.items():
        assert scores == score(restored, clean, get_protocol(name))._asdict()


# Edges -------------------------------------------------------------------------------------------------------------


AROUND = {"rgb-zeropad", "y-replicate", "rgb-3d", "y-swapped-replicate", "y-kornia", "y-float-x16"}
SEVEN = {"rgb-float-u7", "rgb-float-u7-range2", "y-full", "rgb-range2-crop4"}


@pytest.mark.parametrize(
    ("size", "defined", "nothing_left"),
    [((10, 30), AROUND | SEVEN, {"rgb-float-u7-crop16"}), ((30, 6), AROUND, {"rgb-float-u7-crop16", "y-crop4"})],
)
def test_what_an_image_is_too_small_for_is_nan_with_a_warning(
    size: tuple[int, int], defined: set[str], nothing_left: set[str]
) -> None:
    clean = picture(*size, batch=2)
    for name in PROTOCOLS:
        if name in nothing_left:
            with pytest.warns(UserWarning, match=r"undefined \(NaN\) for an image of"):
                psnr, ssim = score(noisy(clean, 0.1), clean, name)
            assert bool(ssim.isnan().all())
            assert bool(psnr.isnan().all())
            continue
        if name not in defined:
            with pytest.warns(UserWarning, match=r"SSIM is undefined \(NaN\) for an image of \d+x\d+ px"):
                psnr, ssim = score(noisy(clean, 0.1), clean, name)
            assert bool(ssim.isnan().all())
        else:
            psnr, ssim = score(noisy(clean, 0.1), clean, name)
            assert bool((ssim < 1).all())
        assert ssim.shape == (2,)
        assert bool(psnr.isfinite().all())


def test_zero_padding_measures_a_single_pixel() -> None:
    psnr, ssim = score(grey(110, 1, 1), grey(100, 1, 1), "rgb-zeropad")
    assert psnr.item() == pytest.approx(28.1308, abs=1e-4)
    assert 0.9 < ssim.item() < 1


@every_protocol
def test_nan_stays_in_its_own_image(protocol: str) -> None:
    clean = picture(20, 20, batch=2)
    restored = noisy(clean, 0.1)
    restored[0, 1, 9, 8] = math.nan
    for value in score(restored, clean, protocol):
        assert value.isnan().tolist() == [True, False]


def test_infinite_values_that_are_not_clamped_are_no_score() -> None:
    clean = picture(20, 20)
    restored = clean.clone()
    restored[0, 1, 9, 8] = math.inf
    for name, scores in score_all(restored, clean, PROTOCOLS).items():
        assert scores["psnr"].isnan().item() == (not PROTOCOLS[name].clamped)


def test_half_precision_is_measured_in_float32() -> None:
    clean = picture(24, 24)
    psnr, ssim = score(clean.bfloat16(), clean.float(), "rgb-float-u7")
    assert psnr.dtype == ssim.dtype == torch.float32


@every_protocol
def test_no_gradient_and_no_change_to_the_inputs(protocol: str) -> None:
    clean = picture(20, 20)
    restored = noisy(clean, 0.1).requires_grad_()
    before = restored.detach().clone()
    assert not any(value.requires_grad for value in score(restored, clean, protocol))
    assert torch.equal(restored, before)


@every_protocol
def test_stays_on_the_device_without_synchronising(protocol: str) -> None:
    """On torch's meta device, which has no values: a stray CPU tensor or an .item() raises, without a GPU."""
    restored, clean = torch.empty(2, 2, 3, 520, 530, device="meta")
    scores = score(restored, clean, protocol)
    assert [(value.device.type, value.shape, value.dtype) for value in scores] == [("meta", (2,), torch.float32)] * 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_agrees_with_the_cpu() -> None:
    clean = picture(390, 401, batch=2)
    restored = noisy(clean, 0.1)
    reference = score_all(restored, clean, PROTOCOLS)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        scores = score_all(restored.float().cuda(), clean.float().cuda(), PROTOCOLS)
    for name, found in scores.items():
        psnr, ssim = Scores(**found)
        assert psnr.cpu().tolist() == pytest.approx(reference[name]["psnr"].tolist(), abs=1e-3)
        assert ssim.cpu().tolist() == pytest.approx(reference[name]["ssim"].tolist(), abs=2e-5)


# Mistakes and averages ---------------------------------------------------------------------------------------------


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        score(grey(1), grey(2), "quite different")
    assert all(str(caught.value).count(f" {name}") >= 1 for name in PROTOCOLS)


@pytest.mark.parametrize(
    ("restored", "clean"),
    [
        ((1, 3, 20, 20), (1, 3, 20, 21)),
        ((1, 3, 20, 20), (2, 3, 20, 20)),
        ((3, 20, 20), (3, 20, 20)),
        ((1, 1, 20, 20), (1, 1, 20, 20)),
    ],
)
def test_wrong_shapes_are_named(restored: tuple[int, ...], clean: tuple[int, ...]) -> None:
    with pytest.raises(UserError) as caught:
        score(torch.rand(restored), torch.rand(clean), "rgb")
    assert f"restored {restored}, clean {clean}" in str(caught.value)


def test_integers_are_refused() -> None:
    with pytest.raises(UserError, match="divide by 255"):
        score(torch.zeros(1, 3, 20, 20, dtype=torch.uint8), torch.rand(1, 3, 20, 20), "rgb")


def test_finite_mean() -> None:
    assert finite_mean([30.0, math.inf, 32.0, math.inf]) == (31.0, 2)
    assert finite_mean(torch.tensor([30.0, 32.0])) == (31.0, 0)
    assert finite_mean([math.inf] * 3) == (math.inf, 3)
    mean, infinite = finite_mean([])
    assert math.isnan(mean)
    assert infinite == 0
    mean, infinite = finite_mean([30.0, math.nan, math.inf])
    assert math.isnan(mean)
    assert infinite == 1
