"""Load tests: run, store, summarise and judge them.

generators.py    start the load generator, its workers and its users
run.py           run one test: samples go to disk as they come
writer.py        write the samples to disk
progress.py      show how a test goes while it runs
capacity.py      search for the highest rate that holds
capacity_run.py  run that search on a service
sweep.py         measure throughput at several numbers of users
scalability.py   fit the Universal Scalability Law to a sweep
samples.py       read the samples and compute their times
rows.py          counts and percentiles by kind, method and name
quantiles.py     exact percentiles of more samples than fit in memory
bounds.py        decide whether the generator itself was the limit
remarks.py       warnings for the readers of a report
summary.py       compute the results of a test from its directory
requirements.py  parse requirements such as `latency.p99 <= 50ms`
judging.py       judge whether the results meet the requirements
"""
