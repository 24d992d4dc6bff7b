"""Makes series of many runs, and finds the changes of their levels."""
