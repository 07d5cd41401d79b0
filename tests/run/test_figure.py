"""``derainbench figure``: crops and charts of a run for papers, as files whose pixels and words are looked at."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from derainbench.efficiency.record import EfficiencyRow, Seconds, Session, Setting, keep
from derainbench.results.load import load_run

from .conftest import Workshop, workshop_in

METHODS = "tinycnn[dropout=0.1],tinycnn[dropout=0.1,width=4]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A run of two networks on two pairs, whose restored images were kept, as ``run``."""
    workshop = workshop_in(tmp_path_factory.mktemp("figures"))
    done = workshop(workshop.arguments(METHODS))
    assert done.returncode == 0, done.stderr
    return workshop


def figure(workshop: Workshop, *more: str, out: str = "figures") -> subprocess.CompletedProcess[str]:
    """Runs the command on the run of the workshop."""
    return workshop(["figure", "run", "--out", out, *more])


def made(workshop: Workshop, *more: str, out: str = "figures") -> Path:
    """The folder of a figure that was made without a word on standard error."""
    done = figure(workshop, *more, out=out)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return workshop.folder / out


def refusal(workshop: Workshop, *more: str) -> str:
    """The one line that the command refuses by; no file is made."""
    done = figure(workshop, *more, out="refused")
    assert done.returncode == 2, done.stdout
    assert not (workshop.folder / "refused").exists()
    (line,) = done.stderr.splitlines()
    return line


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def placed(tex: str) -> dict[str, tuple[float, float, float, float]]:
    """Where LaTeX puts each picture: left, bottom, width and height in points, by the name of its file."""
    number = r"([\d.]+)"
    picture = rf"\\includegraphics\[width={number}bp,height={number}bp\]"
    found = re.findall(rf"\\put\({number},{number}\)\{{{picture}\{{(\S+ [^}}]+)\}}", tex)
    return {file.partition("/")[2]: (float(x), float(y), float(w), float(h)) for x, y, w, h, file in found}


def words(tex: str) -> list[str]:
    """The texts of a figure in LaTeX."""
    return re.findall(r"\\makebox\[0pt\]\[c\]\{\\(?:[a-z]+|fontsize\S+) (.*)\}\}", tex)


def test_crops_are_the_pixels_of_the_images(run: Workshop) -> None:
    folder = made(run, "--images", "y", "--window", "y:3,5,12x8", "--format", "all", out="crops")
    assert {path.name for path in folder.iterdir() if path.is_file()} - {".derainbench-report.json"} == {
        "qualitative.pdf",
        "qualitative.png",
        "qualitative.tex",
    }
    tex = (folder / "qualitative.tex").read_text()
    sources = [run.folder / "data/test/rainy/y.png", *_kept(run, "y"), run.folder / "data/test/clean/y.png"]
    places = placed(tex)
    crops = [name for name in places if "window1" in name]
    assert [re.sub(r".*window1-\d-|\.png", "", name) for name in crops] == [
        "rainy",
        "tinycnn-dropout-0-1",
        "tinycnn-width-4-dropout-0-1",
        "truth",
    ]
    shown = pixels(folder / "qualitative.png")
    for name, source in zip(crops, sources, strict=True):
        crop = pixels(source)[5:13, 3:15]
        np.testing.assert_array_equal(pixels(folder / "qualitative" / name), crop)
        x, y, width, height = places[name]
        scale = shown.shape[1] / 495
        for row in range(8):  # the middle of each magnified pixel
            for column in range(12):
                down = shown.shape[0] - scale * (y + height * (1 - (row + 0.5) / 8))
                across = scale * (x + width * (column + 0.5) / 12)
                assert (shown[int(down), int(across)] == crop[row, column]).all(), (name, row, column)


def _kept(run: Workshop, image: str) -> list[Path]:
    """The restored images of both networks, in the order of the run."""
    results = load_run(run.folder / "run")
    names = [method.name for method in results.methods if method.base != "identity"]
    return [results.restored(name, "tiny", 0, "tiny", image) for name in names]


@pytest.mark.parametrize(
    ("template", "columns", "points"),
    [("cvpr", "1", 234), ("cvpr", "2", 495), ("ieee", "1", 252), ("ieee", "2", 515.52)],
)
def test_figures_are_as_wide_as_the_template(run: Workshop, template: str, columns: str, points: float) -> None:
    folder = made(run, "--template", template, "--columns", columns, "--dpi", "100", out=f"{template}{columns}")
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", (folder / "qualitative.pdf").read_bytes())
    assert box is not None
    assert float(box[1]) == pytest.approx(points, abs=0.01)
    with Image.open(folder / "qualitative.png") as image:
        assert image.width == pytest.approx(points / 72 * 100, abs=1)
        assert image.info["dpi"] == pytest.approx((100, 100), abs=0.5)


def test_scores_and_names_stand_below(run: Workshop) -> None:
    more = ("--images", "x", "--rename", "tinycnn[dropout=0.1]=Ours", "--protocol", "rgb", "--format", "pdf,latex")
    folder = made(run, *more, out="scores")
    scores = load_run(run.folder / "run").scores
    of_image = scores[(scores["image"] == "x") & (scores["protocol"] == "rgb")]
    rows = [
        dict(zip(group["metric"], group["value"], strict=True)) for _, group in of_image.groupby("method", sort=False)
    ]
    printed = [f"{row['psnr']:.2f} / {row['ssim']:.4f}" for row in rows]
    tex = (folder / "qualitative.tex").read_text()
    found = words(tex)
    assert set(printed) < set(found)
    assert {"PSNR / SSIM", "Rainy", "Ours", "Ground truth"} < set(found)
    assert r"\texttt{rgb}" in tex
    if shutil.which("pdftotext"):
        done = subprocess.run(
            ["pdftotext", folder / "qualitative.pdf", "-"], capture_output=True, text=True, check=True, timeout=60
        )
        assert {*printed, "Ours"} < set(done.stdout.splitlines())
    assert b"/Type3" not in (folder / "qualitative.pdf").read_bytes(), "no fonts that IEEE refuses"


def test_windows_maps_and_order(run: Workshop) -> None:
    windows = ("--window", "y:0,0,8x8", "--window", "x:2,2,8x8", "--window", "x:4,4,16x8")
    methods = "tinycnn[dropout=0.1,width=4],tinycnn[dropout=0.1]"
    done = figure(run, *windows, "--methods", methods, "--errors", "--format", "latex", out="windows")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["--window y:0,0,8x8", "--window x:2,2,8x8 --window x:4,4,16x8"]
    names = [*placed((run.folder / "windows/qualitative.tex").read_text())]
    assert names[0] == "1-y-whole.png"
    assert len([name for name in names if name.endswith("errors.png")]) == 9, "three of each window, none of the truth"
    kept = dict(zip(("wide", "narrow"), _kept(run, "x"), strict=True))
    narrow = pixels(run.folder / "windows/qualitative/2-x-window1-2-tinycnn-width-4-dropout-0-1.png")
    np.testing.assert_array_equal(narrow, pixels(kept["narrow"])[2:10, 2:10])
    error = pixels(run.folder / "windows/qualitative/2-x-window1-1-rainy-errors.png")
    rainy, clean = (pixels(run.folder / f"data/test/{kind}/x.png")[2:10, 2:10] for kind in ("rainy", "clean"))
    np.testing.assert_array_equal(error.max(axis=2) > 0, (rainy != clean).any(axis=2))


@pytest.mark.slow
def test_the_same_command_writes_the_same_bytes(run: Workshop) -> None:
    """Also in another process, whose hashes are others."""
    command = ["figure", "run", "--images", "x", "--format", "all", "--out", "again"]
    assert run(command).returncode == 0
    first = {path: path.read_bytes() for path in (run.folder / "again").rglob("*") if path.is_file()}
    environment = {**run.environment, "PYTHONHASHSEED": "7", "MPLBACKEND": "svg"}
    shutil.rmtree(run.folder / "again")
    subprocess.run(
        [sys.executable, "-m", "derainbench", *command], cwd=run.folder, env=environment, check=True, timeout=120,
        capture_output=True,
    )  # fmt: skip
    assert {path: path.read_bytes() for path in first} == first


def test_crops_of_before_go_and_files_of_others_stay(run: Workshop) -> None:
    folder = made(run, "--images", "x,y", "--format", "latex", out="own")
    before = {path.name for path in (folder / "qualitative").iterdir()}
    (folder / "qualitative" / "mine.png").write_bytes(b"mine")
    made(run, "--images", "x", "--format", "latex", out="own")
    after = {path.name for path in (folder / "qualitative").iterdir()}
    assert after == {name for name in before if name.startswith("1-x")} | {"mine.png"}
    (folder / "qualitative.tex").write_text("edited")
    done = figure(run, "--images", "y", "--format", "latex", out="own")
    assert done.returncode == 2
    assert "qualitative.tex has changed since derainbench wrote it" in done.stderr
    assert {path.name for path in (folder / "qualitative").iterdir()} == after


#: Windows for seventy rows of crops.
_MANY = [word for n in range(70) for word in ("--window", f"x:{n % 20},{n // 20},4x16")][1:]

REFUSED = {
    "no such image": (("--images", "z"), ("--images 'z'", "known: tiny/x, tiny/y, x, y")),
    "no such window's": (("--images", "x", "--window", "y:0,0,8x8"), ("--window 'y'", "known: tiny/x, x")),
    "no window": (("--window", "x:8x8"), ("--window 'x:8x8'", "IMAGE:X,Y,WxH")),
    "outside": (("--window", "x:20,0,8x8"), ("--window x:20,0,8x8", "24 x 20 pixels", "at most 24")),
    "tiny window": (("--window", "x:0,0,2x8"), ("smaller than 4 x 4",)),
    "no such method": (("--methods", "tinycn"), ("--methods 'tinycn'", "did you mean 'tinycnn'?")),
    "several methods": (("--methods", "tinycnn"), ("--methods 'tinycnn' may be", "tinycnn[dropout=0.1]' or")),
    "no title": (("--rename", "tinycnn"), ("--rename 'tinycnn'", "METHOD=TITLE")),
    "no such name": (("--rename", "nasnet=Ours"), ("--rename 'nasnet'", "no such method here")),
    "no dataset": (("--datasets", "tini"), ("--datasets 'tini'", "did you mean 'tiny'?")),
    "no protocol": (("--protocol", "x"), ("no scores under protocol 'x'",)),
    "no format": (("--format", "pgf"), ("--format 'pgf'",)),
    "no template": (("--template", "cvp"), ("--template 'cvp'", "did you mean 'cvpr'?")),
    "no figure so large": (("--window", *_MANY, "--dpi", "1200"), ("too large; give a lower --dpi",)),
    "no name": (("--name", "../x"), ("--name '../x'",)),
    "a protocol of trainings": (("--curves", "--protocol", "y"), ("--protocol", "leave it out with --curves")),
    "two columns alike": (
        ("--format", "latex", "--rename", "rainy=X", "--rename", "truth=X"),
        ("would all be called 'X'",),
    ),
    "two figures": (("--plot", "psnr:macs", "--curves"), ("figures of their own",)),
    "no plot": (("--plot", "psnr"), ("--plot 'psnr'", "METRIC:COST")),
    "no metric": (("--plot", "lpips:macs"), ("no metric 'lpips'",)),
    "no latency": (("--plot", "psnr:latency"), ("derainbench efficiency --methods 'tinycnn[dropout=0.1],",)),
    "no photographs": (("--photos", "nowhere"), ("nowhere",)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_are_one_line(run: Workshop, case: str) -> None:
    words_, said = REFUSED[case]
    line = refusal(run, *words_)
    for each in said:
        assert each in line


def test_an_image_that_was_exchanged_since(run: Workshop) -> None:
    """Its scores are another image's: no figure is made of it, and the page shows neither it nor its errors."""
    clean, rainy = (run.folder / "data" / "test" / part / "y.png" for part in ("clean", "rainy"))
    before = {path: path.read_bytes() for path in (clean, rainy)}
    whole, captions = page_of(run)
    assert [image for image in "xy" if f"<strong>{image}</strong>" in captions] == ["x", "y"]
    try:
        for path in (clean, rainy):
            Image.fromarray(pixels(path) ^ 1).save(path)
            assert f"tiny/y: {path} is another image now than the one that was scored" in refusal(run, "--images", "y")
            changed, captions = page_of(run)
            assert "Files of 1 test image hold other images now than those that were scored" in captions
            assert [image for image in "xy" if f"<strong>{image}</strong>" in captions] == ["x"]
            (x, y), (_, was) = changed["pictures"], whole["pictures"]
            assert None not in x
            # what methods restored is of the image that was scored, and so is the input that the run kept
            assert [each is None for each in y] == [False, False, False, path == clean]
            assert len(y) == len(was)
            path.write_bytes(before[path])
    finally:
        for path, content in before.items():
            path.write_bytes(content)
    made(run, "--images", "y")
    again, captions = page_of(run)
    assert again == whole
    assert "hold other images now" not in captions


def page_of(run: Workshop) -> tuple[dict[str, Any], str]:
    """What the page's slider shows of the one dataset, and the page without the data of its script."""
    done = run(["report", "run", "--format", "html"])
    assert done.returncode == 0, done.stderr
    before, _, data = (run.folder / "run/report/index.html").read_text().partition('id="report-data">')
    viewer: dict[str, Any] = json.loads(data.partition("</script>")[0])["datasets"][0]["viewer"]
    return viewer, before


def test_images_that_were_not_kept(run: Workshop, tmp_path: Path) -> None:
    copied = Workshop(tmp_path)
    shutil.copytree(run.folder, tmp_path, dirs_exist_ok=True)
    gone = next((tmp_path / "run").glob("eval/*width*/**/images/x.png"))
    gone.unlink()
    line = refusal(copied, "--images", "x")
    assert "does not hold what tinycnn[width=4,dropout=0.1] made of tiny/x" in line
    assert "run the same command again with --images all" in line
    # by rule, what is there is chosen
    done = figure(copied, "--format", "latex")
    assert [text.partition(":")[0] for text in done.stdout.splitlines()[1:]] == ["--window y"]
    for path in (tmp_path / "run").glob("eval/**/images"):
        shutil.rmtree(path)
    assert "--images all" in refusal(copied)


def test_photographs_without_ground_truth(run: Workshop) -> None:
    photos = run.folder / "photos"
    (photos / "street").mkdir(parents=True)
    random = np.random.default_rng(2)
    for name in ("1.png", "street/02.png"):
        Image.fromarray(random.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(photos / name)
    methods = ["--methods", "identity,prenet[stages=2]", "--plugin", "other.py"]
    (run.folder / "other.py").write_text(DARK)
    methods[1] = "identity,dark"
    assert run(["derain", "photos", *methods, "--out", "derained", "--device", "cpu"]).returncode == 0
    more = ["--photos", "photos", "--out", "real", "--format", "pdf,latex"]
    done = run(["figure", "derained", *more, "--window", "street/2:5,6,30x20", "--rename", "dark=Ours"])
    assert done.returncode == 0, done.stderr
    tex = (run.folder / "real/qualitative.tex").read_text()
    assert words(tex) == ["Rainy", "Ours", "Rainy input"]
    crop = pixels(run.folder / "real/qualitative/1-street-02-png-window1-2-dark.png")
    np.testing.assert_array_equal(crop, pixels(run.folder / "derained/dark/street/02.png")[6:26, 5:35])
    assert run(["figure", "derained", *more]).returncode == 0, "and by rule"
    for words_, said in ((["--errors"], "ground truth"), (["--protocol", "y"], "no scores")):
        refused = run(["figure", "derained", *more, *words_])
        assert refused.returncode == 2
        assert said in refused.stderr
    assert "--photos" in run(["figure", "derained"]).stderr


DARK = '''
from torch import Tensor
from derainbench import Derainer, Method


class Dark(Derainer):
    """Halves every pixel."""

    def forward(self, rainy: Tensor) -> Tensor:
        return rainy * 0.5


DARK = Method(name="dark", title="Dark", network=Dark)
'''


def test_charts(run: Workshop) -> None:
    titles = ("--rename", "tinycnn[dropout=0.1]=A network of a quite long name indeed")
    folder = made(run, "--plot", "psnr:parameters", "--format", "all", *titles, out="charts")
    made(run, "--plot", "ssim:macs", "--columns", "2", out="charts")
    made(run, "--curves", "--format", "all", out="charts")
    names = {path.name for path in folder.iterdir()} - {".derainbench-report.json"}
    stems = {"psnr-parameters", "curves-loss", "curves-validation"}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("pdf", "png", "pgf")} | {
        "ssim-macs.pdf",
        "ssim-macs.png",
    }
    chart = (folder / "psnr-parameters.pgf").read_text()
    assert "{A network of a quite long name indeed\\strut}" in chart, "no name is cut"
    assert "{Rainy\\strut}" in chart
    for name, points in (("psnr-parameters", 234), ("ssim-macs", 495), ("curves-validation", 234)):
        box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", (folder / f"{name}.pdf").read_bytes())
        assert box is not None
        assert float(box[1]) == pytest.approx(points, abs=0.01)


def test_latency_is_what_was_measured(run: Workshop) -> None:
    shutil.copytree(run.folder / "run", run.folder / "timed")
    names = [method.name for method in load_run(run.folder / "run").methods if method.base != "identity"]
    setting = Setting(device="cpu", name="A CPU", threads=4, system="Linux", torch="2.13", precision="fp32")
    rows = [
        EfficiencyRow(
            method=name, title=name, parameters=9, width=16, height=16,
            seconds=Seconds(repeats=3, median=0.012 * place, low=0.01, high=0.1),
        )
        for place, name in enumerate(names, 1)
    ]  # fmt: skip
    session = Session(setting=setting, derainbench="0", created="2026", macs_tool="", rows=tuple(rows))
    keep(run.folder / "timed" / "efficiency.json", session)
    done = run(["figure", "timed", "--plot", "psnr:latency", "--format", "pgf"])
    assert done.returncode == 0, done.stderr
    assert "the median time of an image of 16 × 16 pixels on A CPU" in done.stdout
    chart = (run.folder / "timed/figures/psnr-latency.pgf").read_text()
    assert "Latency, ms, 16" in chart
    assert "{20\\strut}" in chart, "milliseconds at the axis"


def test_without_matplotlib(run: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derainbench.reports.papers.canvas.find_spec", lambda name: None)
    assert "pip install 'derainbench[figures]'" in refusal(run, "--images", "x")
    made(run, "--images", "x", "--format", "latex", out="bare")
    made(run, "--curves", "--format", "pgf", out="bare")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles_without_an_overfull_box(run: Workshop) -> None:
    folder = made(run, "--format", "latex", "--errors", "--rename", "tinycnn[dropout=0.1]=50% & $x_1$", out="tex")
    made(run, "--format", "latex", "--columns", "1", "--name", "narrow", out="tex")
    made(run, "--plot", "psnr:parameters", "--format", "pgf", out="tex")
    (run.folder / "paper.tex").write_text(
        r"""\documentclass[twocolumn]{article}\usepackage{graphicx,xcolor,tikz}
\setlength{\textwidth}{6.875in}\setlength{\columnsep}{.3125in}\newcommand{\derainfigures}{tex/}
\begin{document}Rain.\input{tex/qualitative}\input{tex/narrow}
\begin{figure}\centering\input{tex/psnr-parameters.pgf}\end{figure}\end{document}"""
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"], cwd=run.folder, capture_output=True,
        check=False, timeout=120, env={**os.environ, "max_print_line": "1000"},
    )  # fmt: skip
    log = io.BytesIO(done.stdout).read().decode("latin-1")
    assert done.returncode == 0, log[-2000:]
    assert "Overfull" not in log
    assert folder.is_dir()
