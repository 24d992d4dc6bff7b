"""Studies that measure Assay itself. Each one prints a page."""
