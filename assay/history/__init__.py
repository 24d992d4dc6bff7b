"""Makes series from many runs, and finds changes in the levels of the series."""
