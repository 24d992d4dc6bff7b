"""Read a run and draw its latencies: open this in an editor with cells, or run it.

python examples/notebook.py reports/2026-11-23T10-15-02-quickstart
"""

# %% [markdown]
# Every run is a directory. `assay.open_run` opens it; its tables are data frames.

# %%
import sys

import matplotlib.pyplot as plt

import assay

run = assay.open_run(sys.argv[1])
topic = run.plan.topics[0]
for claim in run.results.claims:
    print(f"{claim.says}: {claim.verdict} ({claim.reason})")

# %% [markdown]
# Verdicts are computed from one number per launch and variant. Here it is the CPU time
# per request, in microseconds.

# %%
values = run.launches
cpu = values[values["metric"] == "cpu_per_request"]
table = cpu.pivot_table(index="launch", columns="variant", values="value") * 1e6
print(table.describe().round(1))

# %% [markdown]
# The distribution of the latency of requests in the open loop, without the disturbed
# slices.

# %%
samples = run.samples(topic.name)
open_loop = samples[(samples["mode"] == "open") & ~samples["disturbed"]]
latency = open_loop["waited"] + open_loop["end"] - open_loop["start"]
figure, axes = plt.subplots()
for variant, seconds in latency.groupby(open_loop["variant"], observed=True):
    axes.ecdf(1000 * seconds.dropna(), label=variant)
axes.set(xscale="log", xlabel="latency, ms", ylabel="share of requests")
axes.legend()
figure.savefig(run.path / "latency.svg")
