"""A submission says enough to be checked and nothing of the machine; one that was changed is refused, by what was."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.errors import UserError
from derainbench.reports.board.checking import Known, check_file
from derainbench.reports.board.plain import without_places
from derainbench.reports.board.submission import RECORD, pack, unpacked
from derainbench.results.load import load_run
from derainbench.results.run_info import WeightsInfo

from .conftest import finish, sound_run, write

KNOWN = Known()


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A submission that adds up."""
    pack(sound_run(tmp_path / "mine"), tmp_path / "sent.zip", "Somebody")
    return tmp_path / "sent.zip"


def changed(file: Path, change: Callable[[Path], None], honest: bool = False) -> Path:
    """A submission after ``change`` of its unpacked folder; ``honest``: its own list of hashes is of what it holds."""
    folder = file.with_suffix("")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    change(folder)
    if honest:
        record = read(folder / RECORD)
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != RECORD]
        hashes = {each.relative_to(folder).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}
        write(folder / RECORD, {**record, "files": hashes})
    return zipped(folder, file.with_name("changed.zip"))


def zipped(folder: Path, out: Path) -> Path:
    """A folder as a zip file."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return out


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def scores_of(folder: Path) -> Path:
    return next(folder.glob("eval/method2/*/seed0/*/scores.parquet"))


def rescore(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Other scores with the hash that belongs to them: what a careful cheat does."""
    path = scores_of(folder)
    change(pd.read_parquet(path)).to_parquet(path)
    finish(path.parent, read(path.parent / "done.json")["inputs"])


def test_what_is_packed_adds_up_and_is_a_run(sent: Path, tmp_path: Path) -> None:
    found = check_file(sent, KNOWN)
    assert found.wrong == ()
    assert found.told == "7 evaluations, 672 scores, 1 manifest"
    with unpacked(sent) as folder:
        here, there = load_run(tmp_path / "mine").scores, load_run(folder).scores
    pd.testing.assert_frame_equal(here, there)
    again = tmp_path / "again.zip"
    pack(tmp_path / "mine", again, "Somebody")
    assert again.read_bytes() == sent.read_bytes()


def test_nothing_of_the_machine_is_in_it(sent: Path) -> None:
    with zipfile.ZipFile(sent) as archive:
        text = b"\n".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
        assert {Path(name).suffix for name in archive.namelist()} == {".json", ".parquet"}
    assert not [word for word in ("/home", "somebody/", "secret", "C:", "..") if word in text]
    assert "--data-root data --out x --card=my.toml" in text


@given(st.lists(st.sampled_from(["a", "b.c", "my data", "x_y"]), min_size=1, max_size=4), st.sampled_from("/~."))
def test_of_a_path_its_last_part_stays(parts: list[str], begins: str) -> None:
    start = {"/": "/", "~": "~/", ".": "../"}[begins]
    path = start + "/".join(part.replace(" ", "-") for part in parts)
    assert without_places(f"--out {path} --x=https://a.org/b/c and/or") == (
        f"--out {parts[-1].replace(' ', '-')} --x=https://a.org/b/c and/or"
    )


def edited(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.assign(psnr=scores["psnr"].where(scores["image"] != "image-0003", scores["psnr"] + 3))


def other_scores(folder: Path) -> None:
    edited(pd.read_parquet(scores_of(folder))).to_parquet(scores_of(folder))


def no_manifest_of_these(folder: Path) -> None:
    place = next(folder.glob("manifests/*.json"))
    rows = read(place)
    rows[0][4] = "0" * 64
    write(place, rows)


def another_digest(folder: Path) -> None:
    info = read(folder / "run.json")
    info["datasets"][0]["test_digest"] = "1" * 64
    write(folder / "run.json", info)


def another_mean(folder: Path) -> None:
    record = read(folder / RECORD)
    record["means"][-1]["value"] = "0.99"
    write(folder / RECORD, record)


def another_key(folder: Path) -> None:
    place = scores_of(folder).parent / "done.json"
    write(place, {**read(place), "key": "0" * 64})


def fewer_images(folder: Path) -> None:
    def without_worst(scores: pd.DataFrame) -> pd.DataFrame:
        worst = scores["image"][scores["psnr"].to_numpy().argmin()]
        return pd.DataFrame(scores[scores["image"] != worst])

    rescore(folder, without_worst)


def beyond_all(folder: Path) -> None:
    rescore(folder, lambda scores: scores.assign(ssim=1.5))


def in_other_scenes(folder: Path) -> None:
    rescore(folder, lambda scores: scores.assign(scene=scores["image"]))


def a_guest(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"x")


@pytest.mark.parametrize(
    ("change", "honest", "words"),
    [
        (other_scores, False, "was changed since"),
        (other_scores, True, "out of date"),
        (lambda folder: rescore(folder, edited), True, "the scores make"),
        (another_mean, True, "stated 0.99"),
        (another_key, True, "not the hash of its inputs"),
        (fewer_images, True, "1 test image left out"),
        (no_manifest_of_these, True, "is of other files"),
        (another_digest, True, "test images changed since"),
        (beyond_all, True, "no image has ssim 1.5"),
        (in_other_scenes, True, "of another scene"),
        (lambda folder: scores_of(folder).unlink(), False, "it is not there"),
        (a_guest, False, "does not name"),
        (a_guest, True, "no file of a submission"),
        (lambda folder: (folder / RECORD).unlink(), False, "holds no submission.json"),
        (lambda folder: (folder / RECORD).write_text("[]", encoding="utf-8"), False, "is damaged"),
        (lambda folder: (folder / "run.json").write_text("{", encoding="utf-8"), True, "is damaged"),
    ],
)
def test_what_was_changed_is_refused_in_a_line(
    sent: Path, change: Callable[[Path], None], honest: bool, words: str
) -> None:
    wrong = check_file(changed(sent, change, honest), KNOWN).wrong
    assert any(words in line for line in wrong), wrong
    assert all(line.isprintable() and "/tmp" not in line for line in wrong)


@pytest.mark.parametrize("name", ["../escaped.json", "/escaped.json", "run.json/../../x", "a\\b"])
def test_a_path_that_leads_out_is_refused(sent: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(sent, "a") as archive:
        archive.writestr(name, b"{}")
    (wrong,) = check_file(sent, KNOWN).wrong
    assert "leads out of its folder" in wrong
    assert not (tmp_path / "escaped.json").exists()


def test_a_bomb_is_refused(sent: Path) -> None:
    with zipfile.ZipFile(sent, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("efficiency.json", b" " * 2**26)
    (wrong,) = check_file(sent, KNOWN).wrong
    assert "would unpack to more than" in wrong


def test_a_table_of_millions_of_like_rows_is_refused_unread(sent: Path) -> None:
    def swollen(folder: Path) -> None:
        one = pa.DictionaryArray.from_arrays(pa.array(np.zeros(6_000_000, np.int8)), ["image"])
        pq.write_table(pa.table({"image": one}), scores_of(folder), compression="zstd")

    (wrong,) = check_file(changed(sent, swollen, honest=True), KNOWN).wrong
    assert "has more than 5,000,000 rows" in wrong


def test_no_zip_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK nothing")
    assert "is no zip file" in check_file(tmp_path / "x.zip", KNOWN).wrong[0]
    assert "no such file" in check_file(tmp_path / "y.zip", KNOWN).wrong[0]


def test_published_weights_are_those_that_are_known(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "mine")
    info = read(run / "run.json")
    said = {"tag": "w", "trained_on": "set1", "sha256": "1" * 64, "source": "s", "verified": True}
    info["methods"][1]["weights"] = said
    write(run / "run.json", info)
    for cell in run.glob("eval/method1/*/*/*/done.json"):
        finish(cell.parent, {**read(cell)["inputs"], "weights": "1" * 64})
    weights = WeightsInfo.model_validate(said)
    assert check_file(run, Known(weights={"method1": weights}, parameters={"method1": 10_000}.get)).wrong == ()
    other = weights.model_copy(update={"sha256": "2" * 64})
    assert "is not the published one, 22222222" in check_file(run, Known(weights={"method1": other})).wrong[0]
    assert check_file(run, Known(parameters={"method1": 1}.get)).wrong == ("method1: has 1 parameters, not 10000",)


def test_an_unfinished_run_is_not_packed(tmp_path: Path) -> None:
    run = sound_run(tmp_path / "mine")
    write(run / "run.json", {**read(run / "run.json"), "cells": []})
    with pytest.raises(UserError, match="no finished evaluation"):
        pack(run, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
