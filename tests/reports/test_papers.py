"""How a figure for a paper is laid out: everything in its place, whole words, nothing over anything else."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derainbench.errors import UserError
from derainbench.reports.charts.scatter import Point, cost_scatter
from derainbench.reports.papers.arrange import arrange
from derainbench.reports.papers.canvas import drawing_file
from derainbench.reports.papers.sheet import Frame, Picture, Words
from derainbench.reports.papers.subjects import TRUTH, Order, Plate, Subject, Version, columns
from derainbench.reports.papers.windows import Box, parse_windows
from derainbench.reports.papers.wording import width_of, wrapped
from derainbench.reports.titles import parse_renames

SHAPES = st.tuples(st.integers(20, 60), st.integers(20, 60))


@st.composite
def plates(draw: st.DrawFn) -> Plate:
    """One to three images of any shape, one or two windows each, one to twelve columns, with and without scores."""
    count = draw(st.integers(1, 12))
    titles = draw(
        st.lists(st.text("abc DEF-[,", min_size=1, max_size=30).filter(str.strip), min_size=count, max_size=count)
    )
    keys = [f"method-{number}" for number in range(count - 1)] + [TRUTH]
    scored = draw(st.booleans())
    subjects = []
    for number in range(draw(st.integers(1, 3))):
        height, width = draw(SHAPES)
        image = np.zeros((height, width, 3), dtype=np.uint8)
        sizes = draw(st.lists(st.tuples(st.integers(4, width), st.integers(4, height)), min_size=1, max_size=2))
        versions = {key: Version(image, ("31.25", "0.9125") if scored and key != TRUTH else ()) for key in keys}
        boxes = tuple(Box(0, 0, *size) for size in sizes)
        subjects.append(Subject(f"image {number}", f"image {number}", "", image, boxes, versions))
    metrics = ("PSNR", "SSIM") if scored else ()
    return Plate(tuple(subjects), dict(zip(keys, titles, strict=True)), metrics, "y", draw(st.booleans()))


@given(plates(), st.sampled_from([234.0, 495.0]))
@settings(max_examples=60)
def test_nothing_lies_over_anything_else(plate: Plate, width: float) -> None:
    sheet = arrange(plate, width)
    assert sheet.width == width
    pictures = sheet.pictures
    crops = sum(len(subject.windows) for subject in plate.subjects) * len(plate.columns)
    maps = sum(len(subject.windows) for subject in plate.subjects) * (len(plate.columns) - 1) if plate.errors else 0
    assert len(pictures) == len(plate.subjects) + crops + maps
    assert len({picture.name for picture in pictures}) == len(pictures)
    for each in sheet.shapes:
        if not isinstance(each, Words):
            slack = each.line if isinstance(each, Frame) else 1e-6
            assert -slack <= each.x <= each.x + each.width <= width + slack
            assert -slack <= each.y <= each.y + each.height <= sheet.height + slack
        else:
            assert each.y <= sheet.height
    for a, b in combinations(pictures, 2):
        apart = a.x + a.width <= b.x + 1e-6 or b.x + b.width <= a.x + 1e-6
        assert apart or a.y + a.height <= b.y + 1e-6 or b.y + b.height <= a.y + 1e-6
    for text in (each for each in sheet.shapes if isinstance(each, Words)):
        assert not any(
            picture.x < text.x < picture.x + picture.width and picture.y < text.y < picture.y + picture.height
            for picture in pictures
        )


@given(plates())
@settings(max_examples=30)
def test_pictures_keep_their_shape_and_names_their_letters(plate: Plate) -> None:
    sheet = arrange(plate, 495.0)
    for picture in sheet.pictures:
        height, width = picture.pixels.shape[:2]
        assert picture.width / picture.height == pytest.approx(width / height)
    said = "".join(each.text for each in sheet.shapes if isinstance(each, Words)).replace(" ", "")
    for title in plate.columns.values():
        assert title.replace(" ", "") in said


@given(st.lists(st.text("abcdefgh ABC-,[]", min_size=1, max_size=60).filter(str.strip), min_size=1), st.floats(20, 200))
def test_wrapped_words_are_whole_and_fit(texts: list[str], width: float) -> None:
    size, lines = wrapped(texts, width)
    assert ["".join(each).replace(" ", "") for each in lines] == [text.replace(" ", "") for text in texts]
    assert all(width_of(line, size) <= width or len(line) == 1 for each in lines for line in each)


def test_windows_and_renames_as_typed() -> None:
    assert parse_windows(["a:b:1,2,30x40", "x/1:0,0,8×9"]) == (("a:b", Box(1, 2, 30, 40)), ("x/1", Box(0, 0, 8, 9)))
    for wrong in ("", "x", "x:1,2,3", "x:-1,2,3x4", "x:1,2,3x4x5", ":1,2,30x40", "x:1,2,٣x9", "x:0,0,3x9"):
        with pytest.raises(UserError, match="--window"):
            parse_windows([wrong])
    titles = parse_renames(["nasnet=Ours", "prenet[stages=2, shared=true]@x = A = B "])
    assert titles == {"nasnet": "Ours", "prenet[stages=2, shared=true]@x": "A = B"}
    for words in (["nasnet"], ["=Ours"], ["nasnet= "], ["a=b", "a=c"]):
        with pytest.raises(UserError, match="--rename"):
            parse_renames(words)


def test_a_chart_is_as_wide_as_it_is_asked_to_be() -> None:
    names = ["A first network with a rather long name", "A second one whose name is long as well", "Third"]
    points = [Point(name, 10.0**number, 30.0 + number) for number, name in enumerate(names, 4)]
    chart = cost_scatter(points, "Parameters", "PSNR, dB", title="t", width=700)
    assert chart.width == 700
    said = [shape.text for shape in chart.shapes if hasattr(shape, "text")]
    assert set(names) < set(said), "no name is cut"
    assert drawing_file(chart, "pdf", 0.5, 300) == drawing_file(chart, "pdf", 0.5, 300)
    assert b"/MediaBox [0 0 350 150]" in drawing_file(chart, "pdf", 0.5, 300).replace(b"[ ", b"[").replace(b" ]", b"]")


def test_pictures_are_pictures() -> None:
    image = np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3)
    plate = Plate((Subject("a", "a", "", image, (Box(1, 1, 4, 4),), {TRUTH: Version(image)}),), {TRUTH: "GT"})
    (whole, crop) = arrange(plate, 234.0).pictures
    assert isinstance(whole, Picture)
    np.testing.assert_array_equal(crop.pixels, image[1:5, 1:5])
    assert (whole.exact, crop.exact) == (False, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a=Ours", "b=Ours"], "'a' and 'b' would all be called 'Ours'"),
        (["a=B"], "'a' and 'b' would all be called 'B'"),
        (["a=Rainy"], "'rainy' and 'a' would all be called 'Rainy'"),
        (["a=X", "first=Y"], "'a' has the title 'X' already"),
    ],
)
def test_no_two_columns_are_called_alike(words: list[str], said: str) -> None:
    known = columns({"a": "A", "b": "B"}, {"a": ["first"]})
    with pytest.raises(UserError, match=re.escape(said)):
        known.renamed(known.titles, Order(titles=parse_renames(words)))
