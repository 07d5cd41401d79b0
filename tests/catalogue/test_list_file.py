"""Splits that a text file of names gives: what a line means, and what is said of one that means nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from derainbench.catalogue.cards import Card, SplitPatterns, read_card
from derainbench.catalogue.dataset import Dataset
from derainbench.catalogue.list_file import listed
from derainbench.catalogue.locate import locate, select
from derainbench.catalogue.pairing import match_files
from derainbench.cli.main import app
from derainbench.errors import UserError
from derainbench.verify.verify import verify

SaveImage = Callable[[Path, np.ndarray], Path]

CARD = """
name = "mine"
title = "Mine"
rain_model = "streak"
kind = "real"
root = "."
[[layouts]]
name = "lists"
train = { rainy = "rainy/{scene}-{n:d}.png", clean = "clean/{scene}.png", listed_in = "train.txt" }
test = { rainy = "rainy/{scene}-{n:d}.png", clean = "clean/{scene}.png", listed_in = "test.txt" }
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERAINBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path, save_image: SaveImage) -> Path:
    """Scenes a, b and c with two rains each, in one folder; the lists are the test's."""
    random = np.random.default_rng(7)
    root = tmp_path / "set"
    for scene in "abc":
        clean = random.integers(20, 200, (24, 24, 3)).astype(np.uint8)
        save_image(root / "clean" / f"{scene}.png", clean)
        for n in (1, 2):
            save_image(root / "rainy" / f"{scene}-{n}.png", clean + np.uint8(9 * n))
    (root / "card.toml").write_text(CARD)
    (root / "train.txt").write_text("a-1\na-2\n")
    (root / "test.txt").write_text("b-1\nc-1\n")
    return root


def dataset(root: Path) -> Dataset:
    found = locate(read_card(root / "card.toml"), None)
    assert found is not None
    return found


def images(root: Path, text: str | bytes) -> list[str]:
    """The test images by a list of this content."""
    (root / "test.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return [pair.image for pair in dataset(root).pairs("test")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("b-1\nc-1\n", "b-1 c-1"),
        ("c-1.png\r\nb-1.png", "b-1 c-1"),  # CRLF, no end of the last line, another order
        ("\ufeffrainy/b-2.png\n", "b-2"),
        ("./rainy/b-2\n.//rainy//b-2.png\n", "b-2"),
        ("rainy\\b-2.png", "b-2"),
        ("# for testing\n\n  b-1  \n\t\nb-1\nrainy/b-1.png\n", "b-1"),  # comments, blank lines, twice
        ("b\n", "b-1 b-2"),  # the clean file: all rains of the scene
        ("clean/c.png\nb-1\n", "b-1 c-1 c-2"),
        ("rainy/b-1.png clean/b.png\nrainy/c-2.png\tclean/c.png\n", "b-1 c-2"),
    ],
)
def test_what_a_line_means(folder: Path, text: str, names: str) -> None:
    assert images(folder, text) == names.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("d-1", "names no image that is here"),
        ("B-1", "names no image that is here"),  # names are names
        ("b-1.jpg", "names no image that is here"),
        ("rainy/b-1.png clean/c.png", "names no image that is here"),  # no such pair
        ("/rainy/b-1.png", "leaves the dataset's folder"),
        ("../set/rainy/b-1.png", "leaves the dataset's folder"),
        ("C:\\set\\rainy\\b-1.png", "leaves the dataset's folder"),
        ("rainy/../rainy/b-1.png", "leaves the dataset's folder"),
    ],
)
def test_a_line_that_means_nothing_here_is_one_line(folder: Path, line: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        images(folder, f"b-1\n{line}\n")
    message = str(caught.value)
    assert message.startswith(f"{folder / 'test.txt'}, line 2: {line!a} {words}")
    assert "\n" not in message


def test_a_name_of_several_scenes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("1\none/1.png\n")
    found = listed(file, ["one/1.png", "two/1.png"], [None, None], ["one", "two"])
    assert found.chosen == {0}
    assert found.problems == [f"{file}, line 1: '1' names images of several scenes; write more of the path"]
    assert listed(file, ["one/1.png", "two/1.png"], [None, None], ["1", "1"]).chosen == {0, 1}
    file.write_text("rainy/1.png\n")  # the whole path before its end
    assert listed(file, ["more/rainy/1.png", "rainy/1.png"], [None, None], ["a", "b"]).chosen == {1}


def test_spelling_of_accents_is_no_difference(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("caf\u00e9", encoding="utf-8")
    assert listed(tmp_path / "list.txt", ["rain/cafe\u0301.png"], [None], ["cafe\u0301"]).chosen == {0}


@pytest.mark.parametrize("content", [b"\xff\xfeb\x00-\x001\x00", b"\x89PNG\r\n\x1a\n"])
def test_a_list_that_is_no_text(folder: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=r"test\.txt is no text in UTF-8; save it as such"):
        images(folder, content)


def test_without_its_list_a_split_is_an_error_of_one_line(folder: Path) -> None:
    (folder / "test.txt").unlink()
    with pytest.raises(UserError, match=r"list .*test\.txt is no text file that is here"):
        dataset(folder).pairs("test")
    assert len(dataset(folder).pairs("train")) == 2
    verdict = verify(dataset(folder))
    assert [each.kind for split in verdict.splits if split.split == "test" for each in split.problems] == ["unreadable"]


def test_an_empty_list_is_no_images(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no test images in .* that test\.txt names"):
        images(folder, "# nothing yet\n")


def test_a_changed_list_is_read_anew_though_no_folder_changed(folder: Path) -> None:
    assert images(folder, "b-1\n") == ["b-1"]
    first = dataset(folder).digest("test")
    assert images(folder, "b-2\n") == ["b-2"]
    assert dataset(folder).digest("test") != first
    images(folder, "b-1\n# again\n")
    assert dataset(folder).digest("test") == first  # of what it names, not of how


def test_problems_of_the_other_split_are_its_own(folder: Path, save_image: SaveImage) -> None:
    save_image(folder / "rainy" / "lost-1.png", np.zeros((24, 24, 3), np.uint8))
    assert images(folder, "b-1\n") == ["b-1"]
    with pytest.raises(UserError, match=r"lost-1\.png has no partner"):
        images(folder, "b-1\nlost-1\n")


def test_verify_names_lines_strays_and_what_both_lists_have(folder: Path) -> None:
    (folder / "test.txt").write_text("a-1\nb-1\nnobody\n")
    verdict = verify(dataset(folder))
    train, test = verdict.splits
    assert (train.pairs, train.problems) == (2, ())
    assert [(each.kind, each.files) for each in test.problems] == [("list", ("test.txt",))]
    assert "line 3: 'nobody'" in test.problems[0].message
    kinds = {each.kind: each.message for each in verdict.notices}
    assert kinds["stray"].startswith("4 images beside the dataset's that no pattern names with train.txt and test.txt")
    assert "shared scene" in kinds


def test_add_says_the_lines_and_keeps_nothing(folder: Path) -> None:
    (folder / "test.txt").write_text("b-1\nnobody\nnowhere\n")
    refused = CliRunner().invoke(app, ["datasets", "add", str(folder / "card.toml")])
    assert isinstance(refused.exception, UserError)
    assert "test: 2 problems:" in str(refused.exception)
    assert "line 2: 'nobody'" in str(refused.exception)
    (folder / "test.txt").write_text("b-1\n")
    added = CliRunner().invoke(app, ["datasets", "add", str(folder / "card.toml")])
    assert "test: 1 pairs" in added.stdout
    assert "those that train.txt lists" in CliRunner().invoke(app, ["datasets", "show", "mine"]).stdout


@pytest.mark.parametrize("path", ["/etc/train.txt", "../train.txt", "lists\\train.txt", "a\nb.txt"])
def test_a_list_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"listed_in"):
        SplitPatterns(rainy="r/{id}.png", clean="c/{id}.png", listed_in=path)


def test_of_two_layouts_the_one_whose_list_is_here(folder: Path) -> None:
    text = (folder / "card.toml").read_text()
    other = text[text.index("[[layouts]]") :].replace("lists", "other").replace("train.txt", "elsewhere.txt")
    (folder / "card.toml").write_text(text.replace("[[layouts]]", f"{other}\n[[layouts]]", 1))
    card = read_card(folder / "card.toml")
    assert [layout.name for layout in card.layouts] == ["other", "lists"]
    assert select("mine", {"mine": card}, None)[0].layout.name == "lists"


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.sets(st.integers(0, 30), min_size=1),
    spelling=st.sampled_from(["{}", "{}.png", "rainy/{}.png", "clean/{}.png", "rainy/{}.png  clean/{}.png"]),
    end=st.sampled_from(["\n", "\r\n", "\n\n# so\n"]),
)
def test_the_lists_of_two_parts_choose_these_parts(chosen: Sequence[int], spelling: str, end: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for place in range(31):
            for side in ("rainy", "clean"):
                (root / side).mkdir(exist_ok=True)
                (root / side / f"im {place}.png").touch()
        for part, places in (("train", chosen), ("test", {*range(31)} - {*chosen})):
            lines = [spelling.replace("{}", f"im {place}") for place in places]
            if "clean/{}.png" in spelling and spelling.startswith("rainy"):
                lines = [f"rainy/im {place}.png" for place in places]  # names with spaces are no pair of words
            (root / f"{part}.txt").write_bytes("".join(line + end for line in lines).encode())
        found = {
            part: match_files(
                root, SplitPatterns(rainy="rainy/{id}.png", clean="clean/{id}.png", listed_in=f"{part}.txt")
            )
            for part in ("train", "test")
        }
        for part, places in (("train", {*chosen}), ("test", {*range(31)} - {*chosen})):
            assert {row.image for row in found[part].rows} == {f"im {place}" for place in places}
            assert (found[part].problems, found[part].orphans) == ([], [])


def test_cards_without_lists_are_dumped_with_an_empty_one() -> None:
    card = Card.model_validate_json(
        '{"name": "old", "title": "t", "rain_model": "streak", "kind": "real", "layouts":'
        ' [{"name": "l", "test": {"rainy": "r/{id}.png", "clean": "c/{id}.png"}}]}'
    )
    assert card.layouts[0].test is not None
    assert card.layouts[0].test.listed_in == ""
