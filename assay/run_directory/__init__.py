"""The files of a run and of a load test: the only place that knows them."""
