"""Files paired by key."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from derainbench.catalogue.cards import SplitPatterns
from derainbench.catalogue.pairing import Pair, match_files
from derainbench.errors import UserError

Refused = Callable[..., AbstractContextManager[None]]

PATTERNS = SplitPatterns(rainy="rainy/{scene}-{n:d}.png", clean="clean/{scene}.png")


def find_pairs(root: Path, patterns: SplitPatterns, same: Sequence[Sequence[str]] = ()) -> list[Pair]:
    """The pairs, or the first problem."""
    matched = match_files(root, patterns, same)
    if matched.problems:
        raise UserError(matched.problems[0].message)
    return [matched.pair(row) for row in matched.rows]


def clean_name(pair: Pair) -> str:
    assert isinstance(pair.clean, Path)
    return pair.clean.name


def write(root: Path, **folders: str) -> Path:
    """Files that hold their own path: ``write(root, rainy="a-1 a-2", clean="a")``."""
    for folder, names in folders.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names.split():
            (root / folder / f"{name}.png").write_text(f"{folder}/{name}")
    return root


@settings(max_examples=40)
@given(
    st.sets(st.integers(0, 999), min_size=1, max_size=6).flatmap(lambda ids: st.permutations(sorted(ids))),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_numbers_pair_by_value_in_any_order_and_padding(ids: list[int], rainy: int, clean: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), rain=" ".join(f"r{i:0{rainy}}" for i in ids))
        write(root, norain=" ".join(f"c{i:0{clean}}" for i in reversed(ids)))
        pairs = find_pairs(root, SplitPatterns(rainy="rain/r{id:d}.png", clean="norain/c{id:d}.png"))
        assert sorted(int(pair.image) for pair in pairs) == sorted(ids)
        for pair in pairs:
            assert isinstance(pair.rainy, Path)
            assert isinstance(pair.clean, Path)
            assert int(pair.rainy.stem[1:]) == int(pair.clean.stem[1:]) == int(pair.image)


def test_several_rains_share_a_clean_image(tmp_path: Path) -> None:
    write(tmp_path, rainy="b-1 a-2 a-10", clean="a b unused")
    pairs = find_pairs(tmp_path, PATTERNS)
    assert [(pair.image, pair.scene, clean_name(pair)) for pair in pairs] == [
        ("a-10", "a", "a.png"),
        ("a-2", "a", "a.png"),
        ("b-1", "b", "b.png"),
    ]


def test_the_scene_is_the_clean_image_where_no_field_says_so(tmp_path: Path) -> None:
    write(tmp_path, rainy="7-1 7-2", clean="007")
    pairs = find_pairs(tmp_path, SplitPatterns(rainy="rainy/{id:d}-{n}.png", clean="clean/{id:d}.png"))
    assert [(pair.image, pair.scene) for pair in pairs] == [("7-1", "7"), ("7-2", "7")]


def test_layers_are_found_by_their_own_fields(tmp_path: Path) -> None:
    write(tmp_path, rainy="a-1 a-2", clean="a", depth="1 2")
    layered = PATTERNS.model_copy(update={"layers": {"depth": "depth/{n:d}.png"}})
    assert [pair.layers["depth"].name for pair in find_pairs(tmp_path, layered)] == ["1.png", "2.png"]


def test_without_rainy_files_there_are_no_pairs(tmp_path: Path) -> None:
    assert find_pairs(write(tmp_path, clean="a"), PATTERNS) == []


def test_a_missing_partner(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, rainy="a-1 b-1", clean="a")
    with refused("b-1.png has no partner", "clean/{scene}.png", "scene=b", str(tmp_path), "remove the rainy file"):
        find_pairs(tmp_path, PATTERNS)


def test_a_missing_layer(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, rainy="a-1", clean="a")
    with refused("a-1.png has no partner", "depth/{scene}.png"):
        find_pairs(tmp_path, PATTERNS.model_copy(update={"layers": {"depth": "depth/{scene}.png"}}))


def test_two_partners(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, rainy="7", clean="7 007")
    with refused("7.png has 2 partners", "clean/007.png", "clean/7.png", "leave one"):
        find_pairs(tmp_path, SplitPatterns(rainy="rainy/{id:d}.png", clean="clean/{id:d}.png"))


def test_two_images_of_one_name(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, **{"r/a": "b-c", "r/a-b": "c", "clean": "b-c c"})
    with refused("r/a/b-c.png", "r/a-b/c.png", "both called 'a-b-c'", "rename one"):
        find_pairs(tmp_path, SplitPatterns(rainy="r/{set}/{id}.png", clean="clean/{id}.png"))


def test_scenes_that_are_one_whatever_their_padding(tmp_path: Path) -> None:
    write(tmp_path, rainy="s03-1 s4-1 s5-1", clean="s03 s4 s5")
    pairs = find_pairs(tmp_path, PATTERNS, [["s3", "s004"]])
    assert [(pair.scene, clean_name(pair)) for pair in pairs] == [("s3", "s03.png"), ("s3", "s4.png"), ("s5", "s5.png")]


def test_one_number_written_twice(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path, rainy="7 007", clean="7")
    with refused("rainy/7.png", "rainy/007.png", "both called", "rename one"):
        find_pairs(tmp_path, SplitPatterns(rainy="rainy/{id:d}.png", clean="clean/{id:d}.png"))
