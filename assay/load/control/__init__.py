"""Assay's side of the load generator: it starts, commands and ends Locust processes."""
