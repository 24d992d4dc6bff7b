"""Reads and checks the files that people write, and builds a Plan from them."""
