"""The regular expressions of patterns: what plain ones match, and never ages over a name."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from derainbench.catalogue.expressions import FIELD, expression
from derainbench.catalogue.patterns import Pattern

BETWEEN = st.sampled_from(["-", "_", "x", "/", "-x-", "1", ""])
FIELDS = st.sampled_from(["{a}", "{b}", "{c}", "{d?}", "{n:d}", "{m:d}"])


def plain(pattern: str) -> re.Pattern[str]:
    """The expression that tries every way to take a name apart."""
    known: set[str] = set()

    def field(match: re.Match[str]) -> str:
        name, again = match["name"], match["name"] in known
        known.add(name)
        value = "[0-9]+" if match["number"] else "[^/]*?" if match["optional"] else "[^/]+?"
        return f"(?P={name})" if again else f"(?P<{name}>{value})"

    return re.compile(FIELD.sub(field, pattern), re.DOTALL)


@given(st.lists(st.tuples(FIELDS, BETWEEN), min_size=1, max_size=6), st.data())
def test_what_is_found_is_what_trying_everything_finds(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    pattern = "".join(map("".join, parts)).strip("/")
    # A number takes all its digits here, also where a text follows that would leave it some.
    assume(not re.search(r":d\}\{[a-d]", pattern))
    try:
        fast = re.compile(expression(pattern), re.DOTALL)
    except ValueError:
        assume(False)
    values = {
        name: data.draw(st.text("1" if name in "nm" else "a1-_x", min_size=name != "d", max_size=4))
        for name in "abcdnm"
    }
    name = FIELD.sub(lambda match: values[match["name"]], pattern)
    found, expected = fast.fullmatch(name), plain(pattern).fullmatch(name)
    assert (found and found.groupdict()) == (expected and expected.groupdict())


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{a}-{b}-{c}-{d}-{e}-{f}x.png", "-" * 200),
        ("{a}-{b}-{c}-{d}-{e}-{f}-{g}-{h}x.png", "a-" * 100),
        ("{a?}0{b?}0{c?}0{d?}0{e?}0{f?}x.png", "0" * 200),
        ("{a}{b:d}-{c}{d:d}-{e}{f:d}x.png", "1" * 99 + "-" + "1" * 99),
        ("{a}-{b}-{c}-{d}/{e}-{f}-{g}-{h}x.png", "-" * 99 + "/" + "-" * 99),
        ("{a}-{b}-{c}-{a}-{d}-{e}x.png", "-" * 200),
    ],
)
def test_no_name_is_tried_for_ages(pattern: str, name: str) -> None:
    begun = time.process_time()
    assert re.compile(expression(pattern), re.DOTALL).fullmatch(f"{name}.png") is None
    assert time.process_time() - begun < 10, "without the bound it takes hours"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{a}{b}.png", "nothing tells where {a} ends and {b} begins"),
        ("{a}{b?}.png", "nothing tells where {a} ends and {b} begins"),
        ("{a:d}{b:1..9}.png", "nothing tells where {a} ends and {b} begins"),
        ("{a:d}1{b}.png", "nothing tells where the number {a} ends"),
        ("{a}-{b}-{c}-{d}-{a}-{b}-{c}.png", "nothing tells where a, b, c end"),
        ("-".join(f"{{f{i}}}" for i in range(33)) + ".png", "33 fields"),
    ],
)
def test_patterns_that_mean_too_many_things(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match="pattern") as caught:
        Pattern(pattern)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "path", "values"),
    [
        ("{a}-{n:d}.png", "a-b-3.png", ("a-b", "3")),
        ("{a}{n:d}.png", "rain12.png", ("rain", "12")),
        ("{n:d}{a}.png", "12abc.png", ("12", "abc")),
        ("{n:d}2x.png", "122x.png", ("12",)),
        ("{s}-{a}/{s}-{a}-{n:d}.png", "x-y-z/x-y-z-1.png", ("x", "y-z", "1")),
        ("{z}-{a}-{b}/{a}.png", "q-x-y/x.png", ("q", "x", "y")),
        ("{z}-{a}-{b}/{a}.png", "p-q-x-y/x.png", ("p-q", "x", "y")),
    ],
)
def test_what_only_a_later_end_of_a_field_matches(pattern: str, path: str, values: tuple[str, ...]) -> None:
    found = re.compile(expression(pattern), re.DOTALL).fullmatch(path)
    assert found is not None
    assert found.groups() == values
