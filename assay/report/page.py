"""Make HTML pages of a single file each, from templates that escape all values."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

from assay.wording import clean, expectation

if TYPE_CHECKING:
    from markupsafe import Markup


def page(template: str, **values: Any) -> str:
    """Return a page from a template, with the style and script shared by all pages."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=PackageLoader("assay.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Text from the target may hold control characters: replace them.
        finalize=lambda value: (
            clean(value)
            if isinstance(value, str) and not isinstance(value, Markup)
            else value
        ),
    )
    templates.filters["expectation"] = expectation
    templates.filters["code_spans"] = code_spans
    script = _asset("report.js")
    return templates.get_template(template).render(
        style=Markup(_asset("report.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )


def code_spans(text: str) -> Markup:
    """Return escaped text with `backticks` turned into code elements."""
    from markupsafe import Markup, escape

    escaped = str(escape(clean(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))


def _asset(name: str) -> str:
    from importlib.resources import files

    return (files("assay.report") / "template" / name).read_text(encoding="utf-8")
