"""Tests of `assay.bisection`."""
