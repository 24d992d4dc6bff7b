"""Examine whether this machine is fit to measure on, and what is missing."""
