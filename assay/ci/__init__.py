"""Writes the comment of a comparison on a pull request."""
