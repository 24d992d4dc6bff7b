"""A MkDocs hook: it adds the published studies of `reports/reference` to the manual."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PUBLISHED = "reports/reference"


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the pages and pictures of the studies to the manual."""
    for path in sorted((ROOT / PUBLISHED).rglob("*")):
        if path.suffix in (".md", ".png"):
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config["site_dir"], True))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Change links to the studies, so that they lead to the pages in the manual."""
    if page.file.src_uri.startswith(PUBLISHED):
        return markdown
    return markdown.replace(f"](../{PUBLISHED}/", f"]({PUBLISHED}/")
