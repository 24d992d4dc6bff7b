"""Assay's side of the load generator: start Locust processes, send orders, end them."""
