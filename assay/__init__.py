"""Assay puts performance claims about Python web services to the test."""
