import re
from xml.etree import ElementTree as XML

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.report.flamegraph import ROW_HEIGHT, collapse, draw, package_of
from assay.results import Stacks
from tests.unit.report.synthetic import HOSTILE, stacks


def profile(values: dict[tuple[str, ...], float], samples: int = 2000) -> Stacks:
    return Stacks(
        topic="t",
        variant="v",
        preset="cpu",
        unit="s",
        requests=1000,
        samples=samples,
        total=sum(values.values()),
        stacks=tuple(values.items()),
    )


def frames(svg: str) -> list[tuple[str, str, float, float, int]]:
    """Return (class, title, left, width, level) of every frame."""
    return [
        (
            node.get("class", ""),
            node.findtext("title") or "",
            float((node.get("x") or "").rstrip("%")),
            float((node.get("width") or "").rstrip("%")),
            int(node.get("y") or 0) // ROW_HEIGHT,
        )
        for node in XML.fromstring(svg)
    ]


def test_a_frame_that_vanished_stays_visible_and_blue() -> None:
    graph = draw(
        profile({("a (x.py)", "gone (x.py)"): 3e-3, ("a (x.py)",): 1e-3}),
        profile({("a (x.py)",): 1e-3}),
    )
    gone = next(frame for frame in frames(graph.svg) if frame[1].startswith("gone"))

    assert gone[0].startswith("less")
    assert gone[3] == pytest.approx(75.0)


def test_what_is_within_noise_is_grey() -> None:
    same = profile({("a (x.py)", "b (x.py)"): 3e-3, ("a (x.py)", "c (x.py)"): 3.1e-3})

    assert {frame[0] for frame in frames(draw(same, same).svg)} == {"even"}


def test_new_cost_is_orange() -> None:
    graph = draw(
        profile({("a (x.py)",): 1e-3}),
        profile({("a (x.py)", "new (x.py)"): 2e-3, ("a (x.py)",): 1e-3}),
    )

    new = next(frame for frame in frames(graph.svg) if frame[1].startswith("new"))
    assert new[0].startswith("more")


def test_narrow_frames_are_left_out_and_counted() -> None:
    values: dict[tuple[str, ...], float] = {
        ("a (x.py)", f"f{index} (x.py)"): 1e-6 for index in range(500)
    }
    values[("a (x.py)", "big (x.py)")] = 1e-3
    graph = draw(profile(values), profile(values))

    assert graph.frames == 3
    assert graph.left_out == 500


def test_runs_of_framework_frames_become_one() -> None:
    stack = (
        "run (uvicorn/main.py)",
        "_run_once (asyncio/base_events.py)",
        "orders (shop/main.py)",
        "__call__ (starlette/routing.py)",
        "app (fastapi/routing.py)",
        "render (shop/render.py)",
    )

    assert collapse(stack) == (
        "[asyncio + uvicorn]",
        "orders (shop/main.py)",
        "[fastapi + starlette]",
        "render (shop/render.py)",
    )


@pytest.mark.parametrize(
    ("frame", "package"),
    [
        ("f (starlette/routing.py)", "starlette"),
        ("f (/venv/lib/python3.12/site-packages/fastapi/routing.py)", "fastapi"),
        ("f (/usr/lib/python3.12/asyncio/events.py)", "asyncio"),
        ("f (threading.py)", "threading"),
        ("f (<frozen runpy>)", "runpy"),
        ("f (shop/asyncio/mine.py)", "shop"),
        ("<module>", ""),
    ],
)
def test_the_package_of_a_frame(frame: str, package: str) -> None:
    assert package_of(frame) == package


def test_hostile_frame_names_stay_text() -> None:
    evil = profile({(f"evil{HOSTILE} (<b>.py)",): 1e-3})
    svg = draw(evil, evil).svg

    assert "<script" not in svg and "<b>" not in svg and "\x1b" not in svg
    assert any("<script>" in frame[1] for frame in frames(svg))


STACKS = st.dictionaries(
    st.lists(st.sampled_from(["a (x.py)", "b (y.py)", "c (z.py)"]), max_size=6).map(
        tuple
    ),
    st.floats(1e-6, 1e-2),
    min_size=1,
    max_size=20,
)


@given(STACKS, STACKS)
def test_children_lie_within_their_parents(
    first: dict[tuple[str, ...], float], second: dict[tuple[str, ...], float]
) -> None:
    found = frames(draw(profile(first), profile(second)).svg)

    assert found[0][2:] == (0.0, 100.0, 0)
    for _, _, left, width, level in found:
        assert left >= 0 and left + width <= 100.02
        if level:
            assert any(
                parent[4] == level - 1
                and parent[2] <= left + 0.02
                and left + width <= parent[2] + parent[3] + 0.02
                for parent in found
            )


def test_the_graph_of_a_real_looking_profile_is_small() -> None:
    graph = draw(stacks("t", "a", True), stacks("t", "b", False))

    assert len(graph.svg) < 30_000
    assert re.search(r'aria-label="Differential flame graph', graph.svg)
