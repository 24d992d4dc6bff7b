"""The page of `assay history`, opened in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from assay.report import history_page
from tests.browser.test_report import _CONTRAST, _overflowing
from tests.unit.report.synthetic import HOSTILE
from tests.unit.report.test_history_page import history, series

NAMES = ["", HOSTILE, "a_name_that_never_ends_" * 20]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = history(
        *(series(name) for name in NAMES),
        *(series(name, drift=True) for name in NAMES),
        *(series(name, change=False) for name in NAMES),
        skipped=3,
    )
    path = tmp_path_factory.mktemp("history") / "history.html"
    path.write_text(history_page.render(results, "assay history reports"))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 700, 870, 1600])
def test_it_fits_asks_for_nothing_and_logs_nothing(
    browser: Browser, page_file: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    logged: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(page_file.as_uri())
    page.locator("summary").last.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert _overflowing(page) == []
    assert page.evaluate(_CONTRAST) == []
    assert logged == []
    remote = [url for url in requested if not url.startswith("data:")]
    assert remote == [page_file.as_uri()]
    context.close()


def test_without_javascript_everything_can_be_read(
    browser: Browser, page_file: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    text = page.inner_text("body")
    for part in ("Every change", "c9 … c11", "Runs that were left out"):
        assert part in text
    assert page.locator("figure svg").first.is_visible()
    table = page.locator("table.series")
    assert not table.is_visible()
    page.locator("summary").last.click()
    assert table.is_visible()
    context.close()
