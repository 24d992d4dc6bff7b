"""Studies that measure Assay itself; each prints a page."""
