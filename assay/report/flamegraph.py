"""A differential flame graph as one static SVG.

A frame is at least as wide as the larger of both sides' values, so a frame that only
one side has is visible. Each frame is a nested SVG with its position in percent. So the
graph fits any width, labels are clipped, and no script is needed. Consecutive frames of
frameworks become one frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from assay.analysis.attribution.stacks import beyond_noise, split_frame
from assay.results import Stacks
from assay.wording import one_line, quantity, signed_quantity

# A frame is left out if its share of the total width is smaller than this.
MIN_WIDTH = 0.003
ROW_HEIGHT = 19
_FRAMEWORK = frozenset(
    "anyio asyncio click concurrent contextlib fastapi gunicorn h11 httptools importlib"
    " multiprocessing runpy selectors socketserver starlette threading typer uvicorn"
    " uvloop".split()
)


@dataclass
class _Node:
    """A frame at one position in the tree; its values are per request."""

    name: str
    baseline: float = 0.0
    candidate: float = 0.0
    children: dict[str, _Node] = field(default_factory=dict)
    width: float = 0.0
    differs: bool = False


@dataclass(frozen=True)
class FlameGraph:
    """The picture, and how many frames were drawn and left out as too narrow."""

    svg: str
    frames: int
    left_out: int


def package_of(frame: str) -> str:
    """Return the package or top-level module that a frame's file belongs to."""
    file = split_frame(frame)[1].replace("\\", "/")
    for folder in ("site-packages/", "dist-packages/"):
        if folder in file:
            file = file.rsplit(folder, 1)[1]
    parts = [part for part in file.split("/") if part not in ("", ".")]
    # The standard library lies under …/lib/python3.12/.
    for index, part in enumerate(parts[:-1]):
        if part.startswith("python3") and index and parts[index - 1] == "lib":
            parts = parts[index + 1 :]
            break
    first = parts[0] if parts else ""
    return first.removeprefix("<frozen ").removesuffix(">").removesuffix(".py")


def collapse(stack: Sequence[str]) -> tuple[str, ...]:
    """Replace consecutive frames of frameworks by one: ``[fastapi + starlette]``."""
    collapsed: list[str] = []
    packages: list[str] = []

    def end_run() -> None:
        if packages:
            collapsed.append("[" + " + ".join(sorted(set(packages))) + "]")
            packages.clear()

    for frame in stack:
        package = package_of(frame)
        if package in _FRAMEWORK:
            packages.append(package)
        else:
            end_run()
            collapsed.append(frame)
    end_run()
    return tuple(collapsed)


def draw(baseline: Stacks, candidate: Stacks) -> FlameGraph:
    """Draw two profiles of one preset as one graph.

    Blue frames cost less in the candidate, orange frames more; grey frames do not
    differ beyond noise.
    """
    root = _Node("all")
    for profile, side in ((baseline, "baseline"), (candidate, "candidate")):
        for stack, value in profile.stacks:
            _add(root, collapse(stack), value, side)
    _set_widths(root)
    nodes = list(_walk(root))
    differences = beyond_noise(
        [(node.baseline, node.candidate) for node in nodes], (baseline, candidate)
    )
    for node, differs in zip(nodes, differences, strict=True):
        node.differs = differs
    placed = list(_place(root, 0.0, 0))
    drawn = [frame for frame in placed if frame[0].width >= MIN_WIDTH * root.width]
    depth = 1 + max((level for _, _, level in drawn), default=0)
    unit = baseline.unit
    frames = "".join(_frame(frame, root.width, unit) for frame in drawn)
    label = (
        f"Differential flame graph: {len(drawn)} frames; baseline "
        f"{quantity(root.baseline, unit)}, candidate {quantity(root.candidate, unit)} "
        "per request. The table of changed functions below says the same in numbers."
    )
    return FlameGraph(
        f'<svg class="flame" width="100%" height="{depth * ROW_HEIGHT}" role="group" '
        f'aria-label="{escape(label, quote=True)}">{frames}</svg>',
        len(drawn),
        len(placed) - len(drawn),
    )


def _add(root: _Node, stack: Sequence[str], value: float, side: str) -> None:
    node = root
    setattr(node, side, getattr(node, side) + value)
    for name in stack:
        node = node.children.setdefault(name, _Node(name))
        setattr(node, side, getattr(node, side) + value)


def _set_widths(root: _Node) -> None:
    """Set the widths: the larger side's own value plus the widths of the children."""
    for node in reversed(list(_walk(root))):
        children = node.children.values()
        self_baseline = node.baseline - sum(child.baseline for child in children)
        self_candidate = node.candidate - sum(child.candidate for child in children)
        self_width = max(self_baseline, self_candidate, 0.0)
        node.width = self_width + sum(child.width for child in children)


def _walk(root: _Node) -> Iterator[_Node]:
    """Yield all nodes, parents first, without recursion, since stacks are deep."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.children.values())


def _place(root: _Node, left: float, level: int) -> Iterator[tuple[_Node, float, int]]:
    """Yield all nodes with their left edge and level, parents before children."""
    pending = [(root, left, level)]
    while pending:
        node, left, level = pending.pop()
        yield node, left, level
        children = []
        for child in sorted(node.children.values(), key=lambda child: -child.width):
            children.append((child, left, level + 1))
            left += child.width
        # Screen readers and the keyboard also go from left to right.
        pending.extend(reversed(children))


def _frame(placed: tuple[_Node, float, int], total_width: float, unit: str) -> str:
    """Return the SVG of one frame, from its node, left edge and level."""
    node, left, level = placed
    total_width = total_width or 1.0
    change = node.candidate - node.baseline
    larger = max(node.baseline, node.candidate) or 1.0
    strength = min(4, 1 + int(abs(change) / larger * 4)) if node.differs else 0
    css_class = f"{'more' if change > 0 else 'less'}{strength}" if strength else "even"
    function, file = split_frame(node.name)
    name = one_line(f"{function} ({file})" if file else function)
    tooltip = (
        f"{name}\nbaseline {quantity(node.baseline, unit)} per request, "
        f"candidate {quantity(node.candidate, unit)} "
        f"({signed_quantity(change, unit)}"
        + (")" if node.differs else "; within noise)")
    )
    x, width = 100 * left / total_width, 100 * node.width / total_width
    return (
        f'<svg class="{css_class}" x="{x:.2f}%" y="{level * ROW_HEIGHT}" '
        f'width="{width:.2f}%" height="{ROW_HEIGHT - 1}">'
        f"<title>{escape(tooltip)}</title>"
        f'<rect width="100%" height="100%" rx="1.5"/>'
        + (f'<text x="4" y="13">{escape(name)}</text>' if width > 2.5 else "")
        + "</svg>"
    )
