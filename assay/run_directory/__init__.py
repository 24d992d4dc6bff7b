"""Reads and writes the files of runs and of load tests."""
