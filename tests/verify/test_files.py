"""Verdicts on files that are missing, superfluous, too many or wrongly named."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
from PIL import Image

from derainbench.verify.verdict import first_few

from .conftest import Pictures


def test_sound_files_are_usable(pictures: Pictures) -> None:
    verdict = pictures.verdict()
    assert verdict.usable
    assert (verdict.dataset, verdict.layout, verdict.root) == ("mine", "folders", pictures.root)
    assert verdict.all_notices == []
    (split,) = verdict.splits
    assert (split.split, split.pairs, split.expected, split.scenes, split.repeated) == ("test", 6, 6, 6, ())


def test_the_manifest_is_the_one_that_runs_use(pictures: Pictures) -> None:
    (split,) = pictures.verdict().splits
    manifest = pictures.dataset().manifest("test")
    assert split.digest == manifest.digest
    assert split.manifest == manifest.path
    assert split.manifest is not None
    assert split.manifest.is_file()
    pictures.path("r-1").write_bytes(b"no image")
    (split,) = pictures.verdict().splits
    assert split.digest is None
    assert split.manifest is None


def test_a_rainy_file_without_its_clean_one(pictures: Pictures) -> None:
    pictures.path("c-3").unlink()
    problem, count = pictures.verdict().problems
    assert (problem.kind, problem.files) == ("no partner", ("rainy/r-3.png",))
    assert "restore it" in problem.message
    assert str(pictures.root / "rainy") not in problem.message, "files are named from the dataset's folder on"
    assert count.kind == "count"
    assert "5 test pairs, the card says 6; fetch" in count.message


def test_several_partners(pictures: Pictures) -> None:
    shutil.copy(pictures.path("c-2"), pictures.root / "clean/c-02.png")
    problem, _ = pictures.verdict().problems
    files = ("rainy/r-2.png", "clean/c-02.png", "clean/c-2.png")
    assert (problem.kind, problem.files) == ("several partners", files)


def test_two_rainy_files_of_one_name(pictures: Pictures) -> None:
    layout = {"name": "any suffix", "test": {"rainy": "rainy/r-{id:d}.*", "clean": "clean/c-{id:d}.png"}}
    Image.fromarray(pictures.pixels("r-2")[:, ::-1]).save(pictures.root / "rainy/r-2.bmp")
    problems = pictures.verdict(layouts=[layout]).problems
    assert [each.files for each in problems if each.kind == "same name"] == [("rainy/r-2.bmp", "rainy/r-2.png")]


def test_a_clean_file_that_no_rainy_one_needs(pictures: Pictures) -> None:
    pictures.path("r-4").unlink()
    problems = {each.kind: each for each in pictures.verdict().problems}
    assert set(problems) == {"count", "orphan"}
    assert problems["orphan"].files == ("clean/c-4.png",)


def test_clean_files_to_spare_are_a_notice_where_no_pair_is_missing(pictures: Pictures) -> None:
    pictures.path("r-4").unlink()
    notice = pictures.notice("orphan", counts={"test": 5})
    assert notice.files == ("clean/c-4.png",)


def test_a_clean_file_of_another_split_is_no_orphan(pictures: Pictures) -> None:
    layout = copy.deepcopy(pictures.fields["layouts"][0])
    layout["test"]["rainy"] = "rainy/r-{id:1..3}.png"
    layout["train"] = {**layout["test"], "rainy": "rainy/r-{id:4..6}.png"}
    layout["train"]["clean"] = layout["test"]["clean"] = "clean/c-{id:1..9}.png"
    verdict = pictures.verdict(layouts=[layout], counts={"train": 3, "test": 3})
    assert verdict.problems == []
    assert [(split.split, split.pairs) for split in verdict.splits] == [("train", 3), ("test", 3)]
    assert [split.scores is None for split in verdict.splits] == [True, False]
    pictures.path("r-5").unlink()
    verdict = pictures.verdict(layouts=[layout], counts={"train": 3, "test": 3})
    assert [(each.kind, each.files) for each in verdict.problems] == [("count", ()), ("orphan", ("clean/c-5.png",))]


def test_clean_files_of_a_split_that_is_not_here_are_a_notice(pictures: Pictures) -> None:
    """Clean images often come from elsewhere, as RainCityscapes' from Cityscapes."""
    patterns = pictures.fields["layouts"][0]["test"]
    layout = {"name": "both", "test": {**patterns, "rainy": "rainy/r-{id:1..2}.png", "clean": "clean/c-{id:1..2}.png"}}
    layout["train"] = {**patterns, "rainy": "rain/r-{id:d}.png"}
    notice = pictures.notice("orphan", layouts=[layout], counts={"train": 4, "test": 2})
    assert notice.files == tuple(f"clean/c-{number}.png" for number in range(3, 7))
    assert pictures.notice("absent", layouts=[layout], counts=None).message == "train images are not here"


def test_a_split_that_is_not_here_is_a_notice(pictures: Pictures) -> None:
    layout = {**pictures.fields["layouts"][0], "train": {"rainy": "train/{id:d}.png", "clean": "gt/{id:d}.png"}}
    assert pictures.notice("absent", layouts=[layout]).message == "train images are not here"
    counts = {"train": 9, "test": 6}
    assert pictures.notice("absent", counts=counts).message == "train images are not here: this layout has none"
    assert pictures.verdict(counts={"train": 0, "test": 6}).all_notices == []


def test_another_number_that_circulates_is_a_notice_with_its_meaning(pictures: Pictures) -> None:
    others = [{"split": "test", "pairs": 6, "means": "the half without the trees"}]
    notice = pictures.notice("count", counts={"test": 12}, other_counts=others)
    assert notice.message == "6 test pairs, where 12 are usual: the half without the trees"
    assert "half" in pictures.notice("count", counts=None, other_counts=others).message
    others[0]["pairs"] = 7
    assert "does not know" in pictures.notice("count", counts=None, other_counts=others).message
    assert pictures.problem(counts={"test": 12}, other_counts=others).kind == "count"


def test_images_that_no_pattern_names(pictures: Pictures) -> None:
    for number in range(5):
        shutil.copy(pictures.path("r-1"), pictures.root / "rainy" / f"IMG_{number}.JPG")
    (pictures.root / "rainy" / "Thumbs.db").touch()
    notice = pictures.notice("stray")
    assert notice.files == tuple(f"rainy/IMG_{number}.JPG" for number in range(5))
    assert "5 images" in notice.message
    assert "IMG_0.JPG, rainy/IMG_1.JPG, rainy/IMG_2.JPG and 2 more" in notice.message


def test_names_that_another_system_takes_for_one(pictures: Pictures) -> None:
    for name in ("caf\u00e9", "cafe\u0301", "Tree", "tree"):
        shutil.copy(pictures.path("r-1"), pictures.root / "rainy" / f"{name}.png")
    spelt = [each.files for each in pictures.verdict().all_notices if each.kind == "spelling"]
    assert spelt == [("rainy/Tree.png", "rainy/tree.png"), ("rainy/cafe\u0301.png", "rainy/caf\u00e9.png")]


def test_what_nobody_has_checked_is_repeated(pictures: Pictures) -> None:
    layout = {**pictures.fields["layouts"][0], "unconfirmed": "the names"}
    verdict = pictures.verdict(layouts=[layout], unconfirmed=["that the licence allows it"])
    assert [each.message for each in verdict.notices if each.kind == "unconfirmed"] == [
        "that the licence allows it",
        "the names",
    ]


@pytest.mark.parametrize("root", ["rain", "r", "rainy", "clean/rainy"])
def test_files_are_named_right_whatever_the_datasets_folder_is_called(
    pictures: Pictures, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--data-root rain`` and a file ``heavy rain/r-2.png``: only the folder itself is taken off a path."""
    monkeypatch.chdir(pictures.root.parent)
    Path(root).parent.mkdir(parents=True, exist_ok=True)
    pictures.root.rename(root)
    pictures.root = Path(root)
    below = f"a {root}/b {root}"
    (pictures.root / below).mkdir(parents=True)
    for folder in ("rainy", "clean"):
        shutil.move(pictures.root / folder, pictures.root / below)
    shutil.copy(pictures.root / below / "rainy/r-1.png", pictures.root / below / "rainy/other.png")
    patterns = {"rainy": f"{below}/rainy/r-{{id:d}}.png", "clean": f"{below}/clean/c-{{id:d}}.png"}
    layouts = [{"name": "deep", "test": patterns}]
    assert pictures.notice("stray", layouts=layouts).files == (f"{below}/rainy/other.png",)
    (pictures.root / below / "clean/c-3.png").unlink()
    (pictures.root / below / "rainy/r-4.png").unlink()
    (pictures.root / below / "rainy/r-5.png").write_bytes(b"")
    shutil.copy(pictures.root / below / "clean/c-2.png", pictures.root / below / "clean/c-02.png")
    verdict = pictures.verdict(layouts=layouts)
    assert [(each.kind, each.files) for each in verdict.problems if each.kind != "count"] == [
        ("several partners", tuple(f"{below}/{name}" for name in ("rainy/r-2.png", "clean/c-02.png", "clean/c-2.png"))),
        ("no partner", (f"{below}/rainy/r-3.png",)),
        ("orphan", (f"{below}/clean/c-4.png",)),
        ("unreadable", (f"{below}/rainy/r-5.png",)),
    ]
    for each in verdict.problems:
        assert not each.files or each.message.startswith(f"{each.files[0]} "), each.message
    assert [each.files for each in verdict.all_notices] == [(f"{below}/rainy/other.png",)]


def test_a_number_written_in_two_ways_is_one_name(pictures: Pictures) -> None:
    shutil.copy(pictures.path("r-2"), pictures.root / "rainy/r-002.png")
    kinds = {each.kind: each.files for each in pictures.verdict().problems}
    assert kinds["same name"] == ("rainy/r-002.png", "rainy/r-2.png")


def test_a_name_that_is_no_text_is_a_problem_where_a_pattern_matches_it(pictures: Pictures) -> None:
    shutil.copy(pictures.path("r-1"), pictures.root / "rainy" / "r-1\n.png")
    notice = pictures.notice("stray")
    assert notice.message.endswith(r"'rainy/r-1\n.png'")
    patterns = {"rainy": "rainy/r-{id}.png", "clean": "clean/c-{id}.png"}
    problem = pictures.problem(layouts=[{"name": "text", "test": patterns}])
    assert problem.kind == "unreadable"
    assert "not text" in problem.message


def test_lists_of_names_stay_short() -> None:
    assert [first_few(list("abcde")[:n]) for n in range(1, 6)] == [
        "a",
        "a and b",
        "a, b and c",
        "a, b, c and 1 more",
        "a, b, c and 2 more",
    ]
