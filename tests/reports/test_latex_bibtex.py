"""BibTeX entries of any origin: what is read, what is refused, and that works stand once under keys of their own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derainbench.catalogue.cards import all_cards
from derainbench.plugins.registry import discover
from derainbench.reports.latex.references import OWN
from derainbench.reports.published.shipped import paper_tables
from derainbench.reports.tex.bibtex import bibliography, parsed

from .shapes import entry


def test_an_entry_is_read_in_any_of_the_usual_spellings() -> None:
    text = """@InProceedings{ li2018:a ,
      title = "{RESCAN}: Squeeze {\\"u}ber \\& out", Author={Li, X. and
         M\u00fcller, \u4e2d}, year = 2018 , month=jul, url={https://a.b/c_d?e=f&g}, note = {50% of $x_1$}, }
    """
    found = parsed(text)
    assert (found.kind, found.key) == ("inproceedings", "li2018:a")
    assert dict(found.fields) == {
        "title": '{RESCAN}: Squeeze {\\"u}ber \\& out',
        "author": 'Li, X. and M{\\"{u}}ller, {{[}U+4E2D{]}}',
        "year": "2018",
        "month": "Jul",
        "url": "https://a.b/c_d?e=f&g",
        "note": r"50\% of \$x\_1\$",
    }
    assert parsed(found.text("again")).fields == found.fields


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Li et al., RESCAN, ECCV 2018",
        "@article{a, title = {A}",
        "@article{a, title = {A}} @article{b, title = {B}}",
        "@article{a, title = {A}}}",
        "@article{a, title = {A{}}",
        '@article{a, title = "A}"}',
        "@article{a, author = {Nobody}}",
        "@article{a b, title = {A}}",
        "@string{a = {A}}",
        "@preamble{a, title = {A}}",
        "@article{a, title = {A}, journal = ieee}",
        "@article{a, title = {A}, crossref = {b}}",
        r"@article{a, title = {\input{/etc/passwd}}}",
        r"@article{a, title = {\{A}}",
    ],
)
def test_what_is_no_single_harmless_entry_cannot_be_cited(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)
    assert bibliography([text]).entries == {}


def test_a_work_stands_once_and_another_of_the_same_key_gets_a_number() -> None:
    first, again, other = (
        entry("doe2020", "On Rain"),
        entry("doe20", "{On} rain"),
        entry("Doe2020", "On Snow"),
    )
    found = bibliography([first, again, other, first])
    assert list(found.entries) == ["doe2020", "Doe2020-2"]
    assert found.keys == {first: "doe2020", again: "doe2020", other: "Doe2020-2"}
    assert found.text.count("@article{") == 2


def test_everything_that_derainbench_brings_can_be_cited() -> None:
    registry = discover([])
    methods = [registry.get(name).paper for name in registry.names()]
    given = {paper.bibtex for paper in methods if paper}
    given |= {card.bibtex for card in all_cards().values() if card.bibtex}
    given |= {source.bibtex for table in paper_tables(["nasnet"]) for source in table.sources.values() if source.bibtex}
    found = bibliography([*OWN.values(), *sorted(given)])
    assert set(found.keys) == {*OWN.values(), *given}
    assert len({each.work for each in found.entries.values()}) == len(found.entries)


@given(st.lists(st.text('ab{}\\"@,=%&# \n', max_size=30)), st.text('ab{}\\"@,=% \n\u00e9', max_size=12))
def test_whatever_is_given_the_file_has_nothing_but_whole_entries(texts: list[str], title: str) -> None:
    found = bibliography([*texts, f"@article{{key, title = {{{title}}}}}"])
    for key, each in found.entries.items():
        assert parsed(each.text(key)).fields == each.fields
        assert each.text(key).isascii()
    assert found.text.count("@article{") == len(found.entries)
