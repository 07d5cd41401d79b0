"""Whether a dataset's files are the card's, told by the score of the input, as a whole run tells it."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from .conftest import Workshop


@pytest.mark.slow
def test_the_inputs_score_tells_whether_the_files_are_those_of_the_card(workshop: Workshop) -> None:
    """The notice stays while the card and the files disagree, and is gone when they agree."""
    run, card = workshop.folder / "run", (workshop.folder / "card.toml").read_text()

    def checked(psnr: float, ssim: float) -> tuple[str, dict[str, Any]]:
        known = f"input_score = {{ protocol = 'y', psnr = {psnr}, ssim = {ssim} }}"
        workshop.edit("card.toml", lambda _: card.replace("[[layouts]]", f"{known}\n[[layouts]]"))
        result = workshop(workshop.arguments("identity"))
        assert result.returncode == 0, result.stderr
        (check,) = json.loads((run / "run.json").read_text())["input_checks"]
        return result.stdout, check

    notice = "the files are not the ones the card describes"
    out, check = checked(99.0, 0.5)
    table = pd.read_parquet(run / "eval/identity/untrained/seed0/tiny/scores.parquet").query("protocol == 'y'")
    psnr, ssim = table["psnr"].mean(), table["ssim"].mean()
    line = f"dataset tiny: the input scores {psnr:.3f} dB / {ssim:.4f}, the card says 99.0 dB / 0.5 under y: {notice}"
    assert f"note: {line}" in out
    assert check == {"dataset": "tiny", "protocol": "y", "psnr": psnr, "ssim": ssim, "notice": line}
    workshop(["report", "run"])
    assert notice in (run / "report/report.md").read_text()
    for wrong in ((psnr + 0.006, ssim), (psnr, ssim - 0.00021)):
        assert notice in checked(*wrong)[0]
    out, check = checked(psnr + 0.004, ssim - 0.00019)
    assert notice not in out
    assert check["notice"] == ""
    workshop(["report", "run"])
    report = (run / "report/report.md").read_text()
    assert notice not in report
    assert "2 test images, identity check passed" in report


def test_a_part_of_the_files_is_not_checked_by_its_score(workshop: Workshop) -> None:
    """They may well be the right ones; the number of pairs is noted."""
    known = "counts = { test = 3 }\ninput_score = { protocol = 'y', psnr = 9.0, ssim = 0.5 }"
    workshop.edit("card.toml", lambda text: text.replace("[[layouts]]", f"{known}\n[[layouts]]"))
    out = workshop(workshop.arguments("identity")).stdout
    assert "are not the ones" not in out
    assert "tiny has 2 test pairs here" in out


def test_a_report_names_a_cropped_copy(workshop: Workshop) -> None:
    """The images are smaller than the card's: the table and the provenance say so, whatever they score."""
    known = 'counts = { test = 2 }\ntest_sizes = { "26x21" = 2 }'
    workshop.edit("card.toml", lambda text: text.replace("[[layouts]]", f"{known}\n[[layouts]]"))
    assert workshop(workshop.arguments("identity")).returncode == 0
    said = "the test images are 2 of 24x20; the card says 2 of 26x21: a cropped copy"
    shown = workshop(["report", "run"]).stdout
    assert said in shown
    for name in ("report.md", "index.html", "tables.tex", "scores-notes.txt", "results.json"):
        text = (workshop.folder / "run" / "report" / name).read_text(encoding="utf-8")
        assert said in " ".join(text.split()), name


def test_without_the_cards_protocol_there_is_nothing_to_check(workshop: Workshop) -> None:
    known = "input_score = { protocol = 'y', psnr = 9.0, ssim = 0.5 }"
    workshop.edit("card.toml", lambda text: text.replace("[[layouts]]", f"{known}\n[[layouts]]"))
    workshop(workshop.arguments("identity", protocols="rgb"))
    assert json.loads((workshop.folder / "run/run.json").read_text())["input_checks"] == []
