"""The report, opened in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page

from assay import report
from assay.experiment.run import judge
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import build
from tests.unit.report.synthetic_pairs import build_pairs


def died(path: Path) -> RunDirectory:
    """A run that ended early, judged as `assay report` does."""
    run = build(path, finished=False, launches=1, profiled=False)
    run.write_results(judge(run))
    return run


RUNS: dict[str, Callable[[Path], RunDirectory]] = {
    "normal": build,
    "explained": lambda path: build(path, explained=True),
    "pairs": build_pairs,
    "hostile": lambda path: build(
        path, hostile=True, topics=["caching", "blocking"], explained=True
    ),
    "hostile pairs": lambda path: build_pairs(path, hostile=True),
    "partial": died,
}


@pytest.fixture(scope="module", params=list(RUNS))
def page_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    return report.write(RUNS[request.param](path), ["html"])[0]


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

    def refuse(dialog: Dialog) -> None:
        logged.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    page.on("dialog", refuse)
    page.on("request", lambda request: requested.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_load_state("networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert _overflowing(page) == []
    assert logged == []
    assert [url for url in requested if not url.startswith("data:")] == [
        page_file.as_uri()
    ]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, background.strip("rgb()").split(",")))
    assert (brightness < 200) == (scheme == "dark")
    context.close()


def _overflowing(page: Page) -> list[str]:
    """Return the elements that stick out of the page, except in a scroll box."""
    found: list[str] = page.evaluate("""() => [...document.querySelectorAll("main *")]
            .filter((node) => !node.closest(".scroll, svg"))
            .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5)
            .map((node) => node.outerHTML.slice(0, 80))""")
    return found


def test_without_javascript_everything_can_be_read(
    browser: Browser, page_file: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())

    text = page.inner_text("body")
    for part in ("claims", "Every claim", "Why", "How this was measured", "--seed 7"):
        assert part in text
    assert page.locator(".row .badge").count() >= 2
    assert page.locator("table.metrics").first.is_visible()
    context.close()


@pytest.mark.parametrize("page_file", ["normal"], indirect=True)
def test_a_flame_graph_zooms_by_mouse_and_by_keyboard(
    browser: Browser, page_file: Path
) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    graph = page.locator("svg.flame").first
    frame = graph.locator("> svg", has_text="lazyload").first
    width = "(node) => node.getBoundingClientRect().width"
    whole = graph.evaluate(width)
    before = frame.evaluate(width)

    frame.click()
    assert frame.evaluate(width) == pytest.approx(whole, abs=1)
    assert graph.locator("> svg", has_text="encode").first.is_hidden()

    page.keyboard.press("Escape")
    assert frame.evaluate(width) == pytest.approx(before, abs=1)

    graph.locator("> svg").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    handler = graph.locator("> svg", has_text="orders").first
    assert handler.evaluate(width) == pytest.approx(whole, abs=1)
    page.close()


@pytest.mark.parametrize("page_file", ["normal"], indirect=True)
def test_a_flame_graph_is_searched(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    graph = page.locator("svg.flame").first
    hint = page.locator(".hint").first
    hint.locator("input").fill("LazyLoad")
    assert graph.locator("> svg.hit", has_text="lazyload").count() >= 1
    assert "frame" in hint.locator("output").inner_text()
    opacity = "(node) => getComputedStyle(node).opacity"
    other = graph.locator("> svg", has_text="encode").first
    assert float(other.evaluate(opacity)) < 0.5
    hint.locator("input").fill("")
    assert float(other.evaluate(opacity)) == 1
    page.close()


@pytest.mark.parametrize("page_file", ["normal", "pairs"], indirect=True)
def test_text_can_be_told_from_its_ground_in_both_themes(
    browser: Browser, page_file: Path
) -> None:
    for scheme in ("light", "dark"):
        context = browser.new_context(
            color_scheme="dark" if scheme == "dark" else "light"
        )
        page = context.new_page()
        page.goto(page_file.as_uri())
        # WCAG 2: 4.5 to 1 for text of this size.
        poor = page.evaluate(_CONTRAST)
        assert poor == [], scheme
        context.close()


_CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3)
    .map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
  };
  const poor = new Set();
  for (const node of document.querySelectorAll("main *")) {
    if (node.closest("svg") || !node.innerText?.trim()) continue;
    const [a, b] = [parse(getComputedStyle(node).color), ground(node)].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${node.className} ${ratio.toFixed(1)}`);
  }
  return [...poor];
}"""
