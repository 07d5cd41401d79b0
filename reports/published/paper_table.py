"""What a published table is: rows, numbers as printed with protocol and source, and what would measure them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from derainbench.errors import UserError, did_you_mean
from derainbench.metrics.protocols import get_protocol
from derainbench.plugins.names import parse_name
from derainbench.plugins.recipe import Recipe


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Data):
    """Where numbers come from: ``short`` names it in a line, ``text`` in a sentence; ``bibtex`` where it is citable."""

    short: str
    text: str
    bibtex: str = ""


class TableColumn(_Data):
    """A dataset of the table: the name of its card, and what the paper calls it.

    ``protocol`` is the one under which the column is meant to be read: a table whose columns all have one sets quoted
    and measured rows below each other (:mod:`.joint`).
    """

    dataset: str
    title: str
    protocol: str | None = None

    @field_validator("protocol")
    @classmethod
    def _known(cls, protocol: str | None) -> str | None:
        return _known_protocol(protocol)


class Measure(_Data):
    """What would measure a row: the canonical name of a method, also of one that does not exist here yet.

    ``trained_on`` is a card's name; None where the method is trained on the dataset of each column itself.
    ``recipe`` are the fields in which the training differs from the method's published recipe.
    """

    method: str
    trained_on: str | None = None
    recipe: dict[str, Any] = {}

    @field_validator("method")
    @classmethod
    def _is_a_name(cls, method: str) -> str:
        try:
            parse_name(method)
        except UserError as error:
            raise ValueError(str(error)) from error
        return method

    @field_validator("recipe")
    @classmethod
    def _fields_of_a_recipe(cls, recipe: dict[str, Any]) -> dict[str, Any]:
        for name in recipe:
            if name not in Recipe.model_fields:
                raise ValueError(f"a recipe has no field {name!r}; {did_you_mean(name, list(Recipe.model_fields))}")
        any_recipe = Recipe(lr=1.0, steps=1, batch=1, patch=1, stride=1, loss="l1")
        try:
            any_recipe.changed(recipe)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
        return recipe


def _known_protocol(protocol: str | None) -> str | None:
    if protocol is not None:
        try:
            get_protocol(protocol)
        except UserError as error:
            raise ValueError(f"{error}; leave it out where it is not known") from error
    return protocol


#: A number exactly as printed: its digits say how precise it is.
Printed = Annotated[str, Field(pattern=r"^[0-9]{0,4}\.?[0-9]{1,8}$")]


#: The metrics whose scores a table may print.
PRINTED = ("psnr", "ssim")


class Published(_Data):
    """The scores of one row on one dataset, as printed.

    ``protocol`` is a name of :data:`.protocols.PROTOCOLS`, None where nobody knows how they were measured;
    ``guess`` says that nobody confirmed the protocol, ``unconfirmed`` that nobody has read the numbers themselves:
    they are general knowledge. ``source`` is a key of the table's sources; ``note`` says what
    else has to be known about the numbers.
    """

    psnr: Printed | None = None
    ssim: Printed | None = None
    protocol: str | None = None
    guess: bool = False
    unconfirmed: bool = False
    source: str
    note: str = ""

    def score(self, metric: str) -> str | None:
        """What is printed of a metric; None where nothing is."""
        return {"psnr": self.psnr, "ssim": self.ssim}.get(metric)

    @field_validator(*PRINTED, mode="before")
    @classmethod
    def _as_printed(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError(f'write the number in quotation marks, "{value}", with the digits that are printed')  # noqa: TRY004 (pydantic collects ValueError)
        return value

    @field_validator("protocol")
    @classmethod
    def _known(cls, protocol: str | None) -> str | None:
        return _known_protocol(protocol)


class Count(_Data):
    """A published number of parameters, as printed."""

    value: Annotated[str, Field(pattern=r"^[0-9]{1,3}(,[0-9]{3})*$|^[0-9]+$")]
    source: str
    note: str = ""


class TableRow(_Data):
    """A line of the table. ``published`` is by the dataset of the column; a dataset that is not in it was not printed.

    A row that publishes nothing is one to be measured everywhere: a method of one's own. ``trained_on`` is what its
    numbers were trained on, where that is not the table's training set.
    """

    title: str
    trained_on: str | None = None
    measure: Measure | None = None
    published: dict[str, Published] = {}
    parameters: Count | None = None


def named_with(title: str, trained_on: str | None) -> str:
    """A row's title and what it was trained on; None: a network for each column, trained on its own set."""
    return f"{title} (trained on {trained_on or 'each set'})"


#: The name under which ``published`` has a row's averages.
AVERAGE = "average"


class PaperTable(_Data):
    """A table of a paper. ``name`` is how it is asked for, such as ``nasnet/1``; ``suite`` whose run measures it.

    ``paper`` is the key of the source that prints it; ``kind`` says whether its rows have scores or parameters.
    ``trained_on`` is the training set of all rows that have none of their own; without it, each column's own.
    ``average`` is what a column of averages over all others is called, whose printed numbers are ``published.average``.
    """

    name: str
    number: str = ""
    paper: str
    caption: str
    kind: Literal["scores", "parameters"] = "scores"
    suite: str = ""
    trained_on: str | None = None
    average: str = ""
    columns: tuple[TableColumn, ...] = ()
    rows: Annotated[tuple[TableRow, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    sources: dict[str, Source] = {}

    @field_validator("number", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError(f'write number = "{value}"')  # noqa: TRY004 (pydantic collects ValueError)
        return value

    @property
    def title(self) -> str:
        """``NASNet, Table 1``."""
        short = self.sources[self.paper].short
        return f"{short}, Table {self.number}" if self.number else short

    @property
    def joint(self) -> bool:
        """Whether quoted and measured rows stand below each other: where every column says under which protocol."""
        return bool(self.columns) and all(column.protocol is not None for column in self.columns)

    def training_set(self, row: TableRow) -> str | None:
        """What a row was trained on: a card; None for the dataset of each column itself."""
        asked = None if row.measure is None else row.measure.trained_on
        return asked or row.trained_on or self.trained_on

    def row_name(self, row: TableRow) -> str:
        """A row's title; with its training set in tables that say under which protocol their columns are."""
        return named_with(row.title, self.training_set(row)) if self.joint else row.title

    def measured(self) -> Iterator[tuple[TableRow, TableColumn, Measure]]:
        """Each row and column that a method could measure: where a score is published, or nothing is in the row."""
        for row in self.rows:
            if row.measure is not None:
                for column in self.columns:
                    if not row.published or column.dataset in row.published:
                        yield row, column, row.measure
