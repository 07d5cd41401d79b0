"""Opens a report in a real browser and looks at it: what several tests of the page share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from derainbench.reports.content import content
from derainbench.reports.page.html import html
from derainbench.reports.page.pictures import Pictures
from derainbench.results.results import Results

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; a test that asks for it is skipped where it is not installed."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


def write_page(run: Results, folder: Path, pictures: Pictures | None = None, **also: Any) -> str:
    """Write the page of ``run``, and of what is ``also`` known beside it, and return its address."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(html(content(run, **also), pictures or Pictures()), encoding="utf-8")
    return (folder / "index.html").as_uri()


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """The page, 1200 pixels wide; in the end it has said nothing on the console and loaded nothing but its pictures."""
    with browser.new_context(viewport={"width": 1200, "height": 900}, **options) as context:
        page = context.new_page()
        page.set_default_timeout(5000)
        noise: list[str] = []
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: noise.append(dialog.message))
        page.on("request", lambda request: noise.append(request.url) if _foreign(request.url, address) else None)
        page.goto(address)
        yield page
        assert noise == [], "the page says nothing on the console and asks for nothing from elsewhere"


def _foreign(url: str, address: str) -> bool:
    return not (url.startswith("data:") or url == address or url.startswith(address.rpartition("/")[0] + "/images/"))


#: Texts whose contrast with what is behind them is below 4.5, of those that can be seen.
POOR_CONTRAST = """
() => {
  const channels = (text) => {
    const [r, g, b, a = 1] = text.replace("color(srgb", "").match(/[\\d.e-]+/g).map(Number);
    return [...[r, g, b].map((v) => (text.startsWith("color(") ? 255 * v : v)), a];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (e) => {
    if (!e) return [255, 255, 255];
    const [r, g, b, a] = channels(getComputedStyle(e).backgroundColor);
    if (a === 1) return [r, g, b];
    const below = ground(e.parentElement);
    return [r, g, b].map((v, n) => a * v + (1 - a) * below[n]);
  };
  return [...document.body.querySelectorAll('*')].filter((e) => e.checkVisibility() && !e.closest('.stage, script, svg')
    && !e.disabled && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).map((e) => {
      const [a, b] = [light(channels(getComputedStyle(e).color)), light(ground(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 80)];
    }).filter(([ratio]) => ratio < 4.5);
}
"""

#: What keeps a page from being read aloud or used by keyboard.
UNLABELLED = """
() => {
  const named = (e) => (e.tagName === 'BUTTON' && e.textContent.trim()) || e.ariaLabel || e.labels?.length;
  const labelled = (e) => e.ariaLabel || (e.getAttribute('aria-labelledby') || '').split(' ').every((id) =>
    id && document.getElementById(id));
  const bad = [
    ...[...document.querySelectorAll('button, select, input')].filter((e) => !named(e)),
    ...[...document.querySelectorAll('section, [role=region], [role=img], nav, aside')].filter((e) => !labelled(e)),
    ...[...document.querySelectorAll('img:not([alt])')],
    ...[...document.querySelectorAll('fieldset')].filter((e) => !e.querySelector('legend')),
    ...[...document.querySelectorAll('thead th:not([scope]), tbody th:not([scope])')],
    ...[...document.querySelectorAll('a[href^="#"]')].filter((e) => !document.getElementById(e.hash.slice(1))),
  ];
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  return [...bad.map((e) => e.outerHTML.slice(0, 120)), ...ids.filter((id, n) => ids.indexOf(id) !== n)];
}
"""
