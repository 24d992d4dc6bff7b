"""Write the reference of claims.toml in docs/claims.md, from the types that read it."""

import sys
from pathlib import Path

from pydantic import BaseModel

from assay.inputs import schema
from assay.metrics import METRICS

PAGE = Path(__file__).parent.parent / "docs" / "claims.md"
BEGIN = "<!-- reference: begin -->"
END = "<!-- reference: end -->"
TABLES: tuple[type[BaseModel], ...] = (
    schema.ClaimsFile,
    schema.TargetTable,
    schema.CompanionTable,
    schema.ScenarioTable,
    schema.LoadTable,
    schema.VariantTable,
    schema.ClaimTable,
    schema.BudgetTable,
)


def table(model: type[BaseModel]) -> str:
    """Return the Markdown table of a TOML table: keys, defaults and meanings."""
    lines = [str(model.__doc__).strip(), "", "| key | default | meaning |"]
    lines.append("|---|---|---|")
    for name, field in model.model_fields.items():
        if not field.description:
            continue  # the key holds a table, which is documented separately
        default = field.get_default(call_default_factory=True)
        cell = "required" if field.is_required() else _default_cell(default)
        lines.append(f"| `{field.alias or name}` | {cell} | {field.description} |")
    return "\n".join(lines)


def reference() -> str:
    """Return the whole reference as Markdown."""
    tables = "\n\n".join(table(model) for model in TABLES)
    rows = [
        f"| `{metric.name}` | {metric.meaning} | {metric.unit or 'share'} |"
        for metric in METRICS.values()
        if not metric.of_request
    ]
    metrics = "\n".join(["| metric | meaning | unit |", "|---|---|---|", *rows])
    return f"## Keys\n\n{tables}\n\n## Metrics\n\n{metrics}"


def page(text: str) -> str:
    """Return the page with an up-to-date reference."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{reference()}\n{END}{tail}"


def _default_cell(value: object) -> str:
    if value in (None, "", [], {}):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    """Update the page; with --check, change nothing and fail if it is out of date."""
    text = PAGE.read_text(encoding="utf-8")
    if "--check" not in sys.argv:
        PAGE.write_text(page(text), encoding="utf-8")
    elif page(text) != text:
        sys.exit(f"{PAGE} is out of date; type: python -m scripts.claims_reference")


if __name__ == "__main__":
    main()
