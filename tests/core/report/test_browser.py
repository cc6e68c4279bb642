"""The report in a real browser: what people do with it, and what must not happen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import recorded
from playwright.sync_api import Browser, Page, expect, sync_playwright
from reporting import inputs

from crossback_core.report.page import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]
SIZES = {"laptop": (1280, 800), "phone": (390, 844)}


@dataclass
class Visit:
    """An open report, with what the browser said of it and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Scroll to the end, so that every chart is drawn."""
        for place in self.page.locator("[data-chart]").all():
            place.evaluate("place => place.scrollIntoView()")
            place.locator(".live svg").wait_for()

    def overflow(self) -> int:
        """Return how many pixels are off the screen at its right side."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(width))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # An emulated GPU may stop drawing on a busy machine.
        options = ["--no-sandbox", "--disable-gpu"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the report of two targets, and of twelve."""
    many = [recorded.target(f"image-{'with_a_name_that_is_long_' * 4}{n}") for n in range(12)]
    made = {"few": inputs(), "many": inputs(records=many, matrix=inputs().matrix[:0])}
    folder = tmp_path_factory.mktemp("reports")
    for name, each in made.items():
        write_report(each, folder / f"{name}.html", folder / name)
    return {name: folder / f"{name}.html" for name in made}


def visit(browser: Browser, path: Path, size: str = "laptop", **options: object) -> Visit:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    page.set_default_timeout(120_000)  # machines that test are busy
    opened = Visit(page)
    page.on("console", lambda message: opened.said.append(message.text))
    page.on("pageerror", lambda error: opened.said.append(str(error)))
    page.on("request", lambda request: opened.asked.append(request.url))
    page.goto(path.as_uri())
    return opened


@pytest.mark.parametrize("name", ["few", "many"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_read_without_a_complaint_a_request_or_a_part_off_the_screen(
    browser: Browser, reports: dict[str, Path], name: str, size: str, scheme: str
) -> None:
    opened = visit(browser, reports[name], size, color_scheme=scheme)
    opened.read()
    assert opened.said == []
    assert [each for each in opened.asked if not each.startswith("data:")] == [
        reports[name].as_uri()
    ]
    assert opened.overflow() <= 0
    folded = opened.page.locator("details:not([open]) > summary")
    while folded.count():
        folded.first.click()
    assert opened.overflow() <= 0
    opened.page.close()


def test_it_is_clicked_and_typed_through(browser: Browser, reports: dict[str, Path]) -> None:
    page = visit(browser, reports["few"]).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#outcome")
    for link in page.locator("nav a").all():
        link.click()
        expect(page.locator(page.url[page.url.index("#") :])).to_be_in_viewport(timeout=60_000)
    page.locator("[data-chart=scores] .live svg").wait_for()
    page.locator("[data-chart=scores] .live .mark-text text", has_text="0.97").hover()
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert "image 29: fifty kinds of icons" in page.content()
    page.locator("#score select").focus()
    page.keyboard.press("ArrowDown")  # from label_cka to knn_excess
    page.locator("[data-chart=scores] .mark-text text", has_text="0.200").wait_for()
    assert page.locator("[data-chart=scores]", has_text="without colour is its zero").count() == 1
    page.close()


def test_what_is_wide_scrolls_on_a_phone(browser: Browser, reports: dict[str, Path]) -> None:
    page = visit(browser, reports["few"], "phone").page
    box = page.locator("#scores .scroll").first
    box.scroll_into_view_if_needed()
    assert box.evaluate("box => box.scrollWidth > box.clientWidth && box.tabIndex === 0")
    assert page.locator("#ways details[open]").count() == 0
    page.close()


def test_without_scripts_and_on_paper_its_charts_are_there(
    browser: Browser, reports: dict[str, Path]
) -> None:
    page = visit(browser, reports["few"], java_script_enabled=False).page
    assert all(each.is_visible() for each in page.locator("[data-chart] > svg").all())
    page.close()
    page = visit(browser, reports["many"]).page
    page.emulate_media(media="print")
    assert page.locator("[data-chart] svg").count() == page.locator("[data-chart]").count()
    assert page.locator("nav").is_hidden()
    assert page.pdf()[:4] == b"%PDF"
    page.close()
