"""Set-up, demo, test, and the studies that measure Assay itself."""
