"""One load test on its own: planned, run, kept on disk, summed up, and judged.

plan.py      what is to be done, and what came of it
run.py       doing it: the generator's samples go to disk as they come
writer.py    their way there
runs.py      the directory of a load test
names.py     what samples are samples of: kind, method and name
samples.py   reading them, and what each of them took
rows.py      counts and percentiles of each kind and name
quantiles.py exact percentiles of more samples than memory holds
bounds.py    whether the generator itself was the limit
failures.py  what failed: requests, log-ins, tasks
remarks.py   what whoever reads the numbers must know
summary.py   from the directory to the numbers
requirements.py  thresholds such as `latency.p99 <= 50ms`
judging.py   the numbers, held to them
"""
