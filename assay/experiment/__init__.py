"""Measure launches of randomised blocks: start, load and watch the targets."""
