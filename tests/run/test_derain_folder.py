"""``derainbench derain FOLDER --methods``: several methods on a folder of photographs, resumable, with a page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from derainbench.photographs.restore import MARK

from .conftest import Workshop

OTHERS = '''
from torch import Tensor
from derainbench import Derainer, Method


class Dark(Derainer):
    """Halves every pixel."""

    def __init__(self, by: float = 0.5) -> None:
        super().__init__()
        self.by = by

    def forward(self, rainy: Tensor) -> Tensor:
        return rainy * self.by


class Odd(Derainer):
    """Fails on wide images."""

    def forward(self, rainy: Tensor) -> Tensor:
        if rainy.shape[-1] > 25:
            raise RuntimeError("too wide")
        return rainy


DARK = Method(name="dark", title="Dark", network=Dark)
ODD = Method(name="odd", title="Odd", network=Odd)
'''


def command(*more: str, photos: str = "photos", methods: str = "identity,dark", out: str = "out") -> list[str]:
    """The arguments of the command."""
    return ["derain", photos, "--methods", methods, "--out", out, "--plugin", "others.py", "--device", "cpu", *more]


@pytest.fixture
def folder(workshop: Workshop) -> Path:
    """Three photographs, one in a folder below, and a text file."""
    (workshop.folder / "others.py").write_text(OTHERS)
    random = np.random.default_rng(3)
    photos = workshop.folder / "photos"
    (photos / "street").mkdir(parents=True)
    for name, size in (("2.png", (20, 16)), ("10.png", (30, 22)), ("street/a.png", (12, 9))):
        Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(photos / name)
    (photos / "notes.txt").write_text("rain")
    return photos


def results(out: Path) -> dict[str, bytes]:
    """Every result, by its path."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.glob("*/**/*.png")}


def times(out: Path) -> dict[str, int]:
    """When every result was written."""
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in out.glob("*/**/*.png")}


def test_every_photograph_by_every_method(workshop: Workshop, folder: Path) -> None:
    result = workshop(command())
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines() == ["skipped, no image by its name: notes.txt"]
    assert result.stdout.splitlines() == ["out: 6 restored, 0 kept", str(Path("out") / "index.html")]
    out = workshop.folder / "out"
    names = ["2.png", "10.png", "street/a.png"]
    assert set(results(out)) == {f"{method}/{name}" for method in ("identity", "dark") for name in names}
    for name in names:
        with Image.open(folder / name) as before, Image.open(out / "identity" / name) as after:
            np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
        with Image.open(folder / name) as before, Image.open(out / "dark" / name) as after:
            # 0.5 * k / 255 of float32, rounded as scores are: to even where it lies between two levels
            np.testing.assert_allclose(np.asarray(after), np.asarray(before) / 2, atol=0.5001)


def test_what_is_done_is_not_done_again(workshop: Workshop, folder: Path) -> None:
    assert workshop(command()).returncode == 0
    out = workshop.folder / "out"
    before = times(out)
    again = workshop(command())
    assert "out: 0 restored, 6 kept" in again.stdout
    assert times(out) == before

    # another content of one photograph, other options of one method, a result that is gone: just these
    Image.fromarray(np.zeros((16, 20, 3), dtype=np.uint8)).save(folder / "2.png")
    assert "out: 2 restored, 4 kept" in workshop(command()).stdout
    assert "out: 3 restored, 3 kept" in workshop(command(methods="identity,dark[by=0.25]")).stdout
    (out / "dark" / "10.png").unlink()
    assert "out: 1 restored, 5 kept" in workshop(command()).stdout
    # the method's own code
    (workshop.folder / "others.py").write_text(OTHERS.replace("rainy * self.by", "1 - rainy * self.by"))
    assert "out: 3 restored, 3 kept" in workshop(command()).stdout


def test_weights_are_part_of_what_a_result_is_known_by(workshop: Workshop, folder: Path) -> None:
    assert workshop(workshop.arguments("tinycnn,tinycnn[width=4]")).returncode == 0
    plugin = str(Path(__file__).parents[1] / "plugin_method.py")
    both = command("--weights", "run", "--plugin", plugin, methods="identity,tinycnn,tinycnn[width=4]")
    result = workshop(both)
    assert result.returncode == 0, result.stderr
    assert "out: 9 restored, 0 kept" in result.stdout
    page = (workshop.folder / "out" / "index.html").read_text()
    assert "trained on tiny" in page
    # the same as one photograph by one method
    one = ["derain", "photos/10.png", "--method", "tinycnn", "--weights", "run", "--plugin", plugin, "--device", "cpu"]
    assert workshop(one).returncode == 0
    with Image.open(folder / "10-tinycnn.png") as alone, Image.open(workshop.folder / "out/tinycnn/10.png") as among:
        assert MARK in among.info
        assert int(np.abs(np.asarray(alone, dtype=int) - np.asarray(among, dtype=int)).max()) <= 1
    (folder / "10-tinycnn.png").unlink()
    weights = workshop.folder / "run/train/tinycnn/tiny/seed0/weights.safetensors"
    other = workshop.folder / "run/train/tinycnn/tiny/seed1/weights.safetensors"
    other.parent.mkdir()
    shutil.copy(weights, other)
    assert "out: 0 restored, 9 kept" in workshop(both).stdout, "the same weights under another seed are the same"
    refused = workshop(command("--weights", str(weights), "--plugin", plugin, methods="tinycnn,tinycnn[width=4]"))
    assert refused.returncode == 2
    assert "is of one network" in refused.stderr


def test_broken_photographs_are_told_and_the_others_go_on(workshop: Workshop, folder: Path) -> None:
    (folder / "broken.png").write_bytes((folder / "10.png").read_bytes()[:80])
    (folder / "text.jpg").write_text("no image")
    (folder / "empty.png").touch()
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to("gone.png")
    result = workshop(command())
    assert result.returncode == 2
    told = [line for line in result.stderr.splitlines() if line.startswith("left out: ")]
    assert len(told) == 5, result.stderr
    for name in ("broken.png", "text.jpg", "empty.png", "pipe.png", "nowhere.png"):
        assert sum(name in line for line in told) == 1, "once, not once a method"
    assert "out: 6 restored, 0 kept, 5 photographs left out" in result.stdout
    page = (workshop.folder / "out" / "index.html").read_text()
    assert page.count("Left out: ") == 5
    assert "3 photographs, restored by" in page


def test_a_method_that_fails_on_one_photograph(workshop: Workshop, folder: Path) -> None:
    result = workshop(command(methods="identity,odd"))
    assert result.returncode == 1, "a crash of the method's"
    assert "odd failed on 10.png: RuntimeError: too wide" in result.stderr
    assert "out: 5 restored, 0 kept, 1 failed" in result.stdout
    assert "Failed: odd on 10.png: RuntimeError: too wide" in (workshop.folder / "out" / "index.html").read_text()


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_half_written_and_it_goes_on(workshop: Workshop, folder: Path) -> None:
    assert workshop(command(out="whole")).returncode == 0
    whole = results(workshop.folder / "whole")
    process = workshop.popen(command())
    first = workshop.folder / "out" / "identity" / "2.png"
    while process.poll() is None and not first.exists():
        pass
    process.kill()
    process.communicate()
    left = results(workshop.folder / "out")
    assert all(whole[name] == content for name, content in left.items())
    result = workshop(command())
    assert result.returncode == 0, result.stderr
    assert f"out: {6 - len(left)} restored, {len(left)} kept" in result.stdout
    assert results(workshop.folder / "out") == whole
    assert not list((workshop.folder / "out").rglob("*.part"))


def test_what_is_not_ours_is_not_lost(workshop: Workshop, folder: Path) -> None:
    foreign = workshop.folder / "out" / "dark" / "10.png"
    foreign.parent.mkdir(parents=True)
    shutil.copy(folder / "2.png", foreign)
    content = foreign.read_bytes()
    result = workshop(command())
    assert result.returncode == 2
    assert "dark" in result.stderr
    assert "--overwrite" in result.stderr
    assert foreign.read_bytes() == content
    assert list(results(workshop.folder / "out")) == ["dark/10.png"], "nothing was begun"
    assert workshop(command("--overwrite")).returncode == 0
    assert foreign.read_bytes() != content

    (workshop.folder / "mine").mkdir()
    (workshop.folder / "mine" / "index.html").write_text("my page")
    result = workshop(command(out="mine"))
    assert result.returncode == 2
    assert "index.html" in result.stderr
    assert [path.name for path in (workshop.folder / "mine").iterdir()] == ["index.html"]


def test_results_never_lie_among_the_photographs(workshop: Workshop, folder: Path) -> None:
    before = sorted(path.name for path in folder.rglob("*"))
    (workshop.folder / "link").mkdir()
    (workshop.folder / "link" / "dark").symlink_to(folder)
    (workshop.folder / "identity").symlink_to(folder)
    for photos, out in (
        ("photos", "photos"),
        ("photos/street", "photos/../photos/street"),
        ("photos", "link"),
        ("photos/street", "."),
    ):
        result = workshop(command(photos=photos, out=out))
        assert result.returncode == 2, (photos, out)
        assert "among the photographs" in result.stderr
    assert sorted(path.name for path in folder.rglob("*")) == before
    # but a folder of results below them is left out where photographs are looked for
    for _ in range(2):
        result = workshop(command(out="photos/out"))
        assert result.returncode == 0, result.stderr
    assert "0 restored, 6 kept" in result.stdout


def test_mistakes_are_one_line_and_leave_no_folder(workshop: Workshop, folder: Path) -> None:
    for arguments, words in (
        (["derain", "photos"], ("--method", "--methods")),
        (["derain", "photos", "--method", "identity", "--methods", "identity"], ("--method", "--methods")),
        (["derain", "photos", "--method", "identity"], ("photos is a folder", "--methods identity --out")),
        (["derain", "photos", "--methods", "identity"], ("--methods needs --out",)),
        (["derain", "photos/2.png", "--method", "identity", "--images", "none"], ("--images",)),
        (command(photos="nowhere"), ("nowhere", "no such file or folder")),
        (command(photos="rain100l"), ("rain100l has ground truth", "derainbench run")),
        (command(photos="spa-internet"), ("photographs of spa-internet are not here", "--data-root")),
        (command(methods="identity,prenet"), ("prenet needs weights",)),
        (command(methods="images[folder=photos],identity"), ("give methods that restore",)),
        (command(methods=","), ("give methods that restore",)),
        (command("--weights", "photos", methods="identity,dark"), ("--weights", "leave them out")),
        (command("--tile", "many"), ("--tile",)),
        (command(out="photos/2.png"), ("photos/2.png",)),
    ):
        result = workshop(arguments)
        assert result.returncode == 2, arguments
        lines = [line for line in result.stderr.splitlines() if not line.startswith("skipped")]
        assert len(lines) == 1, result.stderr
        for word in words:
            assert word in lines[0], lines[0]
        assert not (workshop.folder / "out").exists()


def test_a_set_without_ground_truth_by_its_name(workshop: Workshop, folder: Path) -> None:
    (workshop.folder / "sets").mkdir()
    folder.rename(workshop.folder / "sets" / "Real_Internet")
    result = workshop(command("--data-root", "sets", photos="spa-internet"))
    assert result.returncode == 0, result.stderr
    assert "out: 6 restored, 0 kept" in result.stdout
    assert "<h1>spa-internet</h1>" in (workshop.folder / "out" / "index.html").read_text()


def test_large_photographs_are_tiled_as_in_runs(workshop: Workshop, folder: Path) -> None:
    for tile in ("auto", "off", "16"):
        result = workshop(command("--tile", tile, methods="identity", out=f"out-{tile}"))
        assert result.returncode == 0, result.stderr
    assert results(workshop.folder / "out-16") == results(workshop.folder / "out-off")


def test_unusual_photographs(workshop: Workshop, folder: Path) -> None:
    """As single photographs are read: upright, with alpha, 8 bits, the first of several images."""
    rgb = np.random.default_rng(5).integers(0, 256, (9, 14, 3), dtype=np.uint8)
    image = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "turned.png", exif=exif)
    alpha = image.copy()
    alpha.putalpha(77)
    alpha.save(folder / "alpha.png")
    Image.fromarray(rgb[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    image.convert("CMYK").save(folder / "cmyk.tif")
    image.save(folder / "pages.tif", save_all=True, append_images=[image.transpose(Image.Transpose.ROTATE_180)])
    assert workshop(command(methods="identity")).returncode == 0
    out = workshop.folder / "out" / "identity"
    with Image.open(out / "turned.png") as turned:
        np.testing.assert_array_equal(np.asarray(turned), np.rot90(rgb, -1))
    with Image.open(out / "alpha.png") as kept:
        assert kept.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(kept)[..., 3], 77)
    for name in ("deep.png", "cmyk.png"):
        with Image.open(out / name) as plain:
            assert plain.mode == "RGB"
    with Image.open(out / "pages.png") as first:
        np.testing.assert_array_equal(np.asarray(first), rgb)


def test_results_score_as_the_method_s_own_run(workshop: Workshop, folder: Path) -> None:
    """Results of a test set's rainy images are, to the pixel, the images that a run keeps."""
    assert workshop(workshop.arguments("tinycnn")).returncode == 0
    plugin = str(Path(__file__).parents[1] / "plugin_method.py")
    rainy = "data/test/rainy"
    arguments = ["derain", rainy, "--methods", "tinycnn", "--weights", "run", "--plugin", plugin, "--out", "out"]
    result: subprocess.CompletedProcess[str] = workshop([*arguments, "--device", "cpu", "--precision", "fp32"])
    assert result.returncode == 0, result.stderr
    kept = sorted((workshop.folder / "run/eval/tinycnn").rglob("images/*.png"))
    assert len(kept) == 2
    for path in kept:
        with Image.open(path) as a, Image.open(workshop.folder / "out/tinycnn" / path.name) as b:
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_the_page_names_what_it_was_made_with(workshop: Workshop, folder: Path) -> None:
    assert workshop(command("--images", "beside")).returncode == 0
    out = workshop.folder / "out"
    page = (out / "index.html").read_text()
    assert "There is no ground truth" in page
    assert re.search(r"<code>dark</code>, 0 parameters, nothing to train", page)
    assert len(list((out / "images").iterdir())) == 9, "three photographs, each as it is and by two methods"
    assert workshop(command("--images", "none")).returncode == 0
    assert not (out / "images").exists()


BRIGHT = """
import numpy as np
from derainbench import ImageMetric


def brightness(image):
    return float("nan") if image.shape[1] == 12 else float(image.mean())


BRIGHTNESS = ImageMetric(
    name="brightness",
    title="Brightness",
    unit="levels",
    digits=1,
    higher_is_better=True,
    needs_reference=False,
    measure=brightness,
    implementation="bright",
    version="1",
    licence="MIT",
)
"""


def test_scores_without_ground_truth_on_the_page(workshop: Workshop, folder: Path) -> None:
    """Of what is there: neither of a result that failed nor of what a metric is not defined for."""
    (workshop.folder / "bright.py").write_text(BRIGHT)
    more = ("--metrics", "brightness", "--plugin", "bright.py")
    done = workshop(command(*more, methods="dark,odd"))
    assert done.returncode == 1
    page = (workshop.folder / "out" / "index.html").read_text()
    assert "Brightness" in page
    assert "no proof" in page
    with Image.open(folder / "2.png") as image:  # the one of which all have a score
        assert f"{np.asarray(image).mean():.1f}" in page
    assert "Brightness" not in (workshop(command(*more[2:])), (workshop.folder / "out" / "index.html").read_text())[1]


@pytest.mark.parametrize("name", ["lpips-alex", "brightnes"])
def test_scores_that_photographs_cannot_have(workshop: Workshop, folder: Path, name: str) -> None:
    refused = workshop(command("--metrics", name))
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert not (workshop.folder / "out").exists()
