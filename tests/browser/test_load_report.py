"""The report of a load test, opened in a real browser."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from assay.load_results import Name
from assay.load_tests import summary
from assay.report import load as reports
from tests.unit.load_tests.synthetic import Sample, written

# For each endpoint: its name, its number of requests, and their latency in ms.
ENDPOINTS = (
    ("/slow", 20, 90),
    ("/b<img src=x onerror=alert(1)>", 40, 5),
    ("/a", 30, 8),
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples = [
        Sample(i / 10, i / 10 + ms / 1000, int(i == 3), Name("request", "GET", name))
        for name, count, ms in ENDPOINTS
        for i in range(count)
    ]
    tags = {"branch": "main", "long": "x" * 300}
    run = written(tmp_path_factory.mktemp("load"), samples, title="T" * 90, tags=tags)
    run.write_results(summary.summarise(run))
    return reports.write(run, ["html", "csv"])[0]


def names(page: Page) -> list[str]:
    """Return, for each row that is shown, the first letter after the slash."""
    codes = page.locator("table.sortable tbody tr:visible code").all_inner_texts()
    return [text.removeprefix("GET /")[:1] for text in codes]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 700, 870, 1280])
def test_it_fits_asks_for_nothing_and_logs_nothing(
    browser: Browser, page_file: Path, width: int, scheme: str
) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    page.on("dialog", lambda dialog: logged.append(dialog.message))
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert logged == []
    assert [u for u in requested if not u.startswith("data:")] == [page_file.as_uri()]
    page.close()


def test_the_table_is_sorted_by_keyboard(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    header = page.locator("table.sortable thead")
    for name, order, expected in (
        ("requests", "descending", "abas"),
        ("requests", "ascending", "asab"),
        ("p50", "descending", "asab"),
        ("request", "ascending", "aabs"),
        ("request", "descending", "asba"),
    ):
        button = header.get_by_role("button", name=name, exact=True)
        button.focus()
        page.keyboard.press("Enter")
        # The row of all requests, which begins with an a, stays at the top.
        assert "".join(names(page)) == expected, (name, order)
        sorted_by = header.locator("[aria-sort]")
        assert sorted_by.get_attribute("aria-sort") == order
        assert sorted_by.inner_text() == name
    page.close()


def test_the_table_is_filtered(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.get_by_label("Filter").fill("SLOW")
    assert names(page) == ["a", "s"]
    assert page.locator(".filter output").inner_text() == "1 of 3"
    page.get_by_label("Filter").fill("")
    assert len(names(page)) == 4
    page.close()


def test_its_files_are_downloaded_without_a_script(
    browser: Browser, page_file: Path
) -> None:
    context = browser.new_context(java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert len(names(page)) == 4
    assert page.locator(".filter").is_hidden()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").press("Enter")
    assert waiting.value.suggested_filename == "requests.csv"
    text = Path(waiting.value.path()).read_text()
    assert text == page_file.with_name("requests.csv").read_text()
    assert len(list(csv.reader(text.splitlines()))) == 5
    context.close()
