"""One load test on its own: planned, run, kept on disk, summed up, and judged.

plan.py      what is to be done
run.py       doing it: the generator's samples go to disk as they come
runs.py      the directory of a load test
requirements.py  thresholds such as `latency.p99 <= 50ms`
quantiles.py exact percentiles of more samples than memory holds
summary.py   from the directory to the numbers
"""
