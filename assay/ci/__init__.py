"""Writes a comment about a comparison on a pull request."""
