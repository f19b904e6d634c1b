"""The pages in a real browser: rendered, silent, offline, sortable, in light and dark, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from pages import busy_run

from tracereplay.report import markup
from tracereplay.report.differences import write_page
from tracereplay.report.html import ORDER
from tracereplay.studies.compare import compare, settings

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="needs chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[chromium.Browser]:
    """One browser for all tests."""
    with chromium.browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A report and a comparison, of a run with a long name."""
    folder = tmp_path_factory.mktemp("pages")
    result = busy_run(folder)
    runs = {"one": result, "tw" + 100 * "o": result}
    return {
        "report": result.report(folder / "report.html"),
        "comparison": write_page(compare(runs), settings(runs), folder / "comparison.html"),
    }


@pytest.fixture(autouse=True)
def light(browser):
    """As a person's browser is set, before each test."""
    browser.send("Emulation.setScriptExecutionDisabled", value=False)
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])


def said_and_asked(browser, page: Path) -> tuple[list, set[str]]:
    """What the console said of a page, and what was loaded for it."""
    browser.open(page)
    said = browser.heard("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
    urls = {request["request"]["url"].split(",")[0] for request in browser.heard("Network.requestWillBeSent")}
    return said, {url for url in urls if url != page.as_uri() and not url.startswith("data:")}


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_no_error_and_no_request(browser, pages, name):
    """Nothing on the console; nothing loaded but the page itself and what it holds."""
    assert said_and_asked(browser, pages[name]) == ([], set())


def test_an_error_and_a_request_would_be_seen(browser, tmp_path):
    """Else the test above would prove nothing."""
    page = tmp_path / "bad.html"
    page.write_text("<!doctype html><img src='gone.png'><script>nothing.at.all</script>")
    said, asked = said_and_asked(browser, page)
    assert asked == {(tmp_path / "gone.png").as_uri()}
    assert any("nothing is not defined" in str(entry) for entry in said)


def test_every_figure_is_rendered(browser, pages):
    """Each has a size and texts in it, and so has what it draws."""
    browser.open(pages["report"])
    boxes = browser.ask(
        "[...document.querySelectorAll('figure svg')].map(svg => {"
        " const {width, height} = svg.getBoundingClientRect(), drawn = svg.getBBox();"
        " return [width, height, drawn.width, drawn.height, svg.querySelectorAll('text').length] })"
    )
    assert len(boxes) == len(ORDER)
    for width, height, drawn_width, drawn_height, texts in boxes:
        assert width > 300
        assert height > 100
        assert drawn_width > 300
        assert drawn_height > 100
        assert texts >= 4


FIRST = "#counters ~ .scroll"
COLUMN = "[...document.querySelectorAll('{table} tbody tr')].map(row => row.cells[{column}].textContent)"
SORTED = "document.querySelector('{table} th:nth-child({n})').getAttribute('aria-sort')"


def column(browser, table: str, number: int) -> list[str]:
    return browser.ask(COLUMN.format(table=table, column=number))


def numbers(texts: list[str]) -> list[int]:
    return [int(text.replace(",", "")) for text in texts]


def test_a_click_sorts(browser, pages):
    """Largest first, then smallest first; by numbers, not by their digits."""
    browser.open(pages["report"])
    before = column(browser, FIRST, 2)
    browser.click(f"{FIRST} th:nth-child(3) button")
    assert numbers(column(browser, FIRST, 2)) == sorted(numbers(before), reverse=True) != numbers(before)
    assert browser.ask(SORTED.format(table=FIRST, n=3)) == "descending"
    browser.click(f"{FIRST} th:nth-child(3) button")
    assert numbers(column(browser, FIRST, 2)) == sorted(numbers(before))
    assert browser.ask(SORTED.format(table=FIRST, n=3)) == "ascending"
    browser.click(f"{FIRST} th:nth-child(1) button")
    names = column(browser, FIRST, 0)
    assert names == sorted(names, reverse=True)
    assert browser.ask(SORTED.format(table=FIRST, n=3)) is None


@pytest.mark.parametrize(("key", "text"), [("Enter", "\r"), (" ", " ")])
def test_the_keyboard_sorts(browser, pages, key, text):
    """Tab reaches the scrolling table and then its headings; the focus can be seen; sums stay last."""
    browser.open(pages["report"])
    for _ in range(2):
        browser.press("Tab")
    assert browser.ask("document.activeElement.matches('#vms ~ .scroll th:first-child button')")
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert column(browser, "#vms ~ .scroll", 0) == ["one", "two", "all VMs"]
    browser.press(key, text)
    assert column(browser, "#vms ~ .scroll", 0) == ["two", "one", "all VMs"]


def test_without_scripts_tables_are_complete(browser, pages):
    """The same rows in the same order, and no buttons that do nothing."""
    rows = "[...document.querySelectorAll('tr')].map(row => row.textContent)"
    browser.open(pages["report"])
    expected = browser.ask(rows)
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(pages["report"])
    assert browser.ask(rows) == expected
    assert browser.ask("document.querySelectorAll('button').length") == 0


COLOURS = (
    "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color,"
    " getComputedStyle(document.querySelector('figure svg text')).fill]"
)
GROUND = "getComputedStyle(document.querySelector('#heat ~ figure path[style*=ground]')).fill"
LIGHT = ["rgb(255, 255, 255)", "rgb(38, 38, 38)", "rgb(38, 38, 38)"]
DARK = ["rgb(22, 24, 27)", "rgb(230, 228, 223)", "rgb(230, 228, 223)"]


def test_light_and_dark(browser, pages):
    """Ground, text, texts of figures, grounds of maps follow what the reader has set; paper stays white."""
    browser.open(pages["report"])
    assert browser.ask(COLOURS) == LIGHT
    assert browser.ask(GROUND) == "rgb(255, 255, 255)"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.send("Emulation.setEmulatedMedia", features=dark)
    assert browser.ask(COLOURS) == DARK
    assert browser.ask(GROUND) == "rgb(201, 199, 194)"
    browser.send("Emulation.setEmulatedMedia", media="print", features=dark)
    assert browser.ask(COLOURS) == LIGHT
    browser.send("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_a_narrow_screen(browser, pages, name):
    """On a telephone tables and figures scroll; the page does not."""
    browser.send(
        "Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=False
    )
    browser.open(pages[name])
    assert browser.ask("innerWidth") == 400
    assert browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    browser.send("Emulation.clearDeviceMetricsOverride")


NAMES = """[...document.querySelectorAll('tbody th')].map(name => {
  const {width, height} = name.getBoundingClientRect(); return [width, height]
})"""


def test_long_names_leave_room_for_numbers(browser, tmp_path):
    """They break; short ones do not, however little room there is."""
    rows = [(name, *range(10**9, 10**9 + 20)) for name in ("a.long.name" * 9, "a-name-of-at-most-forty")]
    section = {"name": "run", "together": markup.table("VMs", ["x"] * 21, rows), "vms": None}
    page = tmp_path / "names.html"
    page.write_text(markup.page("differences", title="", lead="", settings=None, runs=[section]))
    browser.open(page)
    (width, height), (_, one_line) = browser.ask(NAMES)
    assert width < 400
    assert height > 2 * one_line
    assert one_line < 40


LETTERS = "parseFloat(getComputedStyle(document.querySelector('{}')).fontSize)"


def test_small_print_is_small(browser, pages):
    """On paper, too, captions are no larger than the text, nor units than what they are the units of."""
    browser.open(pages["report"])
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.ask(LETTERS.format("figcaption")) < browser.ask(LETTERS.format("p"))
    assert browser.ask(LETTERS.format("th .unit")) <= browser.ask(LETTERS.format("th"))
    browser.send("Emulation.setEmulatedMedia", media="")


def test_long_names_of_columns_break(browser, tmp_path):
    """A VM is a column in some tables; short names do not break."""
    heads = ["x", "a" * 300, "a_name_of_at_most_forty"]
    section = {"name": "run", "together": markup.table("VMs", heads, [("a", 1, 2)]), "vms": None}
    page = tmp_path / "columns.html"
    page.write_text(markup.page("differences", title="", lead="", settings=None, runs=[section]))
    browser.open(page)
    widths = browser.ask("[...document.querySelectorAll('thead th')].map(th => th.offsetWidth)")
    assert 100 < widths[1] < 1000
    assert widths[2] > 80
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")


TABLES = """[...document.querySelectorAll('details .scroll')].map(part => {
  const {height} = part.getBoundingClientRect();
  const whole = Math.ceil(height) >= part.querySelector('table').offsetHeight;
  return part.checkVisibility() && height > 20 && whole
})"""


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_what_is_folded_on_screen_is_printed(browser, pages, name):
    """The numbers behind every figure, whole."""
    browser.open(pages[name])
    assert not any(browser.ask(TABLES))
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert all(browser.ask(TABLES))
    browser.send("Emulation.setEmulatedMedia", media="")


def test_long_lines_are_printed_whole(browser, pages):
    """A name of hundreds of characters in the scenario breaks: paper does not scroll."""
    browser.open(pages["report"])
    browser.send("Emulation.setEmulatedMedia", media="print")
    browser.ask("document.querySelector('pre').textContent = 'a'.repeat(1000)")
    assert browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    browser.send("Emulation.setEmulatedMedia", media="")


def test_it_prints(browser, pages):
    """As a PDF, and without what only works on a screen."""
    browser.open(pages["report"])
    assert browser.send("Page.printToPDF")["data"].startswith("JVBERi0")  # %PDF- in base 64
