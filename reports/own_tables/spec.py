"""What a table of one's own shows, as a TOML file says it: columns, rows, and how wide it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from derainbench.errors import UserError
from derainbench.support.toml import complaints, read_toml
from derainbench.support.words import in_one_line

from ..published.paper_table import Published, Source
from ..published.shipped import by_title

#: In place of a training set: a network for each column, trained on its own set.
EACH = "each"
#: In place of the table's training set: rows of any are compared, and each says its own.
ANY = "any"

Cost = Literal["parameters", "macs", "latency", "memory"]


def _spelled(value: object) -> object:
    """An option's value as names of methods spell it."""
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | float) else value


Spelled = Annotated[str, BeforeValidator(_spelled)]
#: What is printed in the table or below it.
Words = Annotated[str, AfterValidator(in_one_line)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


#: What a column may be of, and the keys that go with it.
_KINDS = {
    "dataset": {"protocol", "metrics"},
    "average": {"protocol", "metrics"},
    "option": {"value", "default"},
    "cost": {"unit", "size", "setting"},
    "text": set[str](),
}


class SpecColumn(_Data):
    """A column, of one thing: the scores on a ``dataset``, their ``average`` over several (``all`` or their names), an
    ``option`` of the methods, what the networks ``cost``, or a ``text`` that the rows give.

    An option's column shows its value, or a check mark where it is ``value``; ``default`` is what it is where a
    method's name does not say it. ``size`` (``WIDTHxHEIGHT``) and ``setting`` (words of its line) choose among costs
    measured several times. ``unit`` is of parameters: ``M``, or ``1`` for the whole number.
    """

    title: Words = ""
    dataset: str | None = None
    average: Literal["all"] | tuple[str, ...] | None = None
    option: str | None = None
    cost: Cost | None = None
    text: Words | None = None
    protocol: str | None = None
    metrics: tuple[str, ...] = ()
    value: Spelled | None = None
    default: Spelled | None = None
    unit: Literal["M", "1"] = "M"
    size: Annotated[str, Field(pattern=r"^[0-9]{1,6}x[0-9]{1,6}$")] | None = None
    setting: str = ""

    @model_validator(mode="after")
    def _of_one_thing(self) -> SpecColumn:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"give one of {', '.join(_KINDS)}" + (f", not {' and '.join(kinds)}" if kinds else ""))
        allowed = {"title", kinds[0], *_KINDS[kinds[0]]}
        if wrong := sorted(self.model_fields_set - allowed):
            raise ValueError(f"{wrong[0]} does not go with {kinds[0]}; it may have {', '.join(sorted(allowed))}")
        return self

    @property
    def name(self) -> str:
        """What messages call it."""
        average = self.average if isinstance(self.average, str) else None if self.average is None else "average"
        return self.title or self.dataset or average or self.option or self.cost or self.text or ""


class Quote(_Data):
    """A row of a published table: the table's name or file, and the row's title there."""

    table: str
    row: str


class SpecRow(_Data):
    """A row: a ``method`` of the run, a ``quote`` of a published table, numbers ``published`` by dataset, or several of
    them; where one is measured, it is not quoted.

    ``trained_on`` is a card, or ``each`` column's own set; left out, the table's. ``apart`` says that its numbers may
    be of another protocol or training set than the table's: then they are marked, and ranked with nothing.
    ``options``, ``costs`` and ``text`` are what its cells hold in columns of these. ``line`` draws one above it.
    """

    title: Words = ""
    cite: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:._+/-]*(,[A-Za-z0-9:._+/-]+)*$")] | None = None
    method: str | None = None
    quote: Quote | None = None
    published: dict[str, Published] = {}
    trained_on: str | None = None
    apart: bool = False
    line: bool = False
    options: dict[str, Spelled] = {}
    costs: dict[Cost, Words] = {}
    text: dict[str, Words] = {}

    @model_validator(mode="after")
    def _of_something(self) -> SpecRow:
        if self.method is None and self.quote is None and not self.published:
            raise ValueError("give its method, quote or published")
        if not self.title and self.method is None and self.quote is None:
            raise ValueError("give its title")
        return self

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.title or self.method or (self.quote.row if self.quote else "")


class Layout(_Data):
    """What the table has to fit: a document of one or two ``columns``.

    ``span`` says whether it takes one column of two or the whole page; ``auto``: one, if it fits. ``width`` is another
    line than usual, such as ``3.25in``; ``size`` another font size than chosen, in points.
    """

    columns: Literal[1, 2] = 1
    span: Literal["auto", "column", "page"] = "auto"
    width: Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?(cm|mm|in|pt)$")] | None = None
    size: Annotated[float, Field(ge=5, le=12)] | None = None


class TableSpec(_Data):
    """The whole file.

    ``protocol`` is that of columns which name none, ``metrics`` likewise. ``trained_on`` is the training set of every
    row, or ``any``; left out, each column's own. ``digits`` are decimal places by metric; left out, those that are
    quoted. ``notes`` are sentences below the table, ``remarks`` more of them.
    """

    caption: Words = ""
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._+/-]*$")] = ""
    protocol: str | None = None
    metrics: tuple[str, ...] = ()
    trained_on: str | None = None
    digits: dict[str, Annotated[int, Field(ge=0, le=8)]] = {}
    deviations: bool = True
    notes: bool = True
    remarks: tuple[Words, ...] = ()
    layout: Layout = Layout()
    columns: tuple[SpecColumn, ...]
    rows: tuple[SpecRow, ...]
    sources: dict[str, Source] = {}

    @field_validator("trained_on")
    @classmethod
    def _own_is_left_out(cls, trained_on: str | None) -> str | None:
        return None if trained_on == EACH else trained_on

    @model_validator(mode="after")
    def _has_rows_and_sources(self) -> TableSpec:
        if not self.rows or not self.columns:
            raise ValueError(f"give one of {'columns' if self.rows else 'rows'} at least")
        for row in self.rows:
            for dataset, published in row.published.items():
                if published.source not in self.sources:
                    raise ValueError(
                        f"row {row.name!r}, published.{dataset}.source: there is no {published.source!r}; write "
                        f"[sources.{published.source}] with short and text"
                    )
        return self


def read_spec(path: Path) -> TableSpec:
    """The table that a file asks for. :class:`UserError` in one line for a file with a mistake."""
    content = read_toml(path, "table spec")
    try:
        return TableSpec.model_validate(content)
    except ValidationError as error:
        found = by_title(complaints(TableSpec, error, "the file"), content.get("rows"), keys=("title", "method"))
        found = by_title(found, content.get("columns"), "column", ("title", *_KINDS))
        raise UserError(f"table spec {path}: {found}") from error


def spec_data(spec: TableSpec) -> dict[str, Any]:
    """A spec as the content of such a file: what is as it would be anyway is left out."""
    return spec.model_dump(mode="json", exclude_defaults=True)
