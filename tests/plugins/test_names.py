"""The grammar of method names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.plugins.names import ParsedName, parse_name
from derainbench.support.words import split_list, whole_number

Refused = Callable[..., AbstractContextManager[None]]

WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
VALUES = st.from_regex(r"[a-z0-9][a-z0-9_.+-]{0,6}", fullmatch=True)
NAMES = st.builds(ParsedName, WORDS, st.dictionaries(WORDS, VALUES, max_size=3), st.none() | VALUES)


def spelt(name: ParsedName, space: str = "") -> str:
    """The text that stands for a parsed name."""
    options = f",{space}".join(f"{key}{space}={space}{value}" for key, value in name.options.items())
    return name.base + (f"[{options}]" if options else "") + (f"@{name.tag}" if name.tag else "")


@given(NAMES, st.sampled_from(["", " "]))
def test_parsing_undoes_spelling(name: ParsedName, space: str) -> None:
    assert parse_name(spelt(name, space)) == name


@given(st.lists(NAMES, max_size=4))
def test_a_list_of_names_comes_apart_at_the_outer_commas(names: list[ParsedName]) -> None:
    texts = [spelt(name) for name in names]
    assert split_list(", ".join(texts)) == list(dict.fromkeys(texts))


def test_empty_items_and_repeats_drop_out_of_a_list() -> None:
    assert split_list(" a, ,b[x=1,y=2],a,") == ["a", "b[x=1,y=2]"]
    assert split_list("") == []


@pytest.mark.parametrize("text", ["", "[a=1]", "net[a=1", "net]a[", "net@", "net[a=1]x", "-net", "a b", "net[a=[1]]"])
def test_what_is_no_name(text: str, refused: Refused) -> None:
    with refused(repr(text), "not a method name", "NAME[option=value"):
        parse_name(text)


@pytest.mark.parametrize("option", ["stages", "stages=", "=2", "a\nb"])
def test_what_is_no_option(option: str, refused: Refused) -> None:
    with refused("net", repr(option), "write option=value"):
        parse_name(f"net[{option}]")


def test_an_option_given_twice(refused: Refused) -> None:
    with refused("'stages' twice", "keep one"):
        parse_name("net[stages=1,stages=2]")


@pytest.mark.parametrize("text", ["a" * 201, "net[width=" + "1" * 300 + "]", "net@" + "t" * 300, "雨" * 70])
def test_a_name_that_no_folder_could_have(text: str, refused: Refused) -> None:
    with refused("longer than 200 bytes", "shorten it"):
        parse_name(text)


@given(st.integers(0, 10**30), st.integers(0, 3))
def test_a_whole_number_is_read_up_to_the_most(number: int, zeros: int) -> None:
    assert whole_number("0" * zeros + str(number), 10**30) == number
    assert whole_number(str(number + 1), number) is None


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "1e3", "0x1", "1_0", "\u00b2", "\u0663", "1" * 5000])
def test_what_spells_no_whole_number(text: str) -> None:
    assert whole_number(text, 10**9) is None
