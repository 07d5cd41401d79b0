"""A network's keyword arguments as options: types, defaults, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge

from derainbench.plugins.method import Derainer
from derainbench.plugins.options import check_options, option_defaults, option_types, spell

Refused = Callable[..., AbstractContextManager[None]]


class Net(Derainer):
    """One option of each kind."""

    def __init__(
        self,
        stages: Annotated[int, Ge(1)] = 3,
        gate: Literal["na", "se", "none"] = "na",
        scale: Literal[2, 4] = 2,
        shared: bool = False,
        slope: float = 0.2,
        norm: str | None = None,
    ) -> None:
        super().__init__()


class Plain(Derainer):
    """No ``__init__`` of its own."""


class Swallows(Derainer):
    def __init__(self, stages: int = 1, **others: int) -> None:
        super().__init__()


class NoDefault(Derainer):
    def __init__(self, stages: int) -> None:
        super().__init__()


def test_options_are_read_from_the_signature() -> None:
    assert option_defaults(Net) == {
        "stages": 3, "gate": "na", "scale": 2, "shared": False, "slope": 0.2, "norm": None
    }  # fmt: skip
    assert list(option_types(Net)) == ["stages", "gate", "scale", "shared", "slope", "norm"]
    assert option_types(Plain) == {}


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"stages": "2"}, {"stages": 2}),
        ({"stages": "3"}, {}),
        ({"gate": "none"}, {"gate": "none"}),
        ({"scale": "4"}, {"scale": 4}),
        ({"scale": 4}, {"scale": 4}),
        ({"shared": "true"}, {"shared": True}),
        ({"shared": "no"}, {}),
        ({"slope": "1e-1"}, {"slope": 0.1}),
        ({"norm": "batch"}, {"norm": "batch"}),
        ({"norm": "None"}, {}),
        ({"slope": "0.5", "stages": "1"}, {"stages": 1, "slope": 0.5}),
    ],
)
def test_values_take_their_types_and_defaults_drop_out(given: dict[str, Any], options: dict[str, Any]) -> None:
    checked = check_options("net", Net, given)
    assert checked == options
    assert [type(value) for value in checked.values()] == [type(value) for value in options.values()]
    assert list(checked) == list(options), "options come in the signature's order"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"stage": "2"}, ["'net'", "'stage'", "did you mean 'stages'?"]),
        ({"zzz": "2"}, ["'zzz'", "known: gate, norm, scale, shared, slope, stages"]),
        ({"stages": "two"}, ["stages='two'", "valid integer"]),
        ({"stages": "0"}, ["stages='0'", "greater than or equal to 1"]),
        ({"gate": "nas"}, ["gate='nas'", "'na', 'se' or 'none'", "did you mean 'na'?"]),
        ({"scale": "3"}, ["scale='3'", "2 or 4"]),
        ({"shared": "maybe"}, ["shared='maybe'", "boolean"]),
        ({"slope": "steep\nvery"}, ["slope=", "valid number"]),
    ],
)
def test_what_a_network_refuses(given: dict[str, str], words: list[str], refused: Refused) -> None:
    with refused(*words):
        check_options("net", Net, given)


def test_a_network_without_options_says_so(refused: Refused) -> None:
    with refused("'plain'", "'stages'", "it has none"):
        check_options("plain", Plain, {"stages": "2"})


@pytest.mark.parametrize(("network", "word"), [(Swallows, "others"), (NoDefault, "'stages'")])
def test_a_signature_that_hides_options_is_the_authors_mistake(
    network: type[Derainer], word: str, refused: Refused
) -> None:
    with refused(word, "default"):
        option_types(network)


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (None, "none"), (2, "2"), (0.5, "0.5"), ("na", "na")])
def test_values_are_spelt_as_they_are_typed(value: object, text: str) -> None:
    assert spell(value) == text
