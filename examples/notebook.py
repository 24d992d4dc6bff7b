"""A run in pictures: open it in an editor that knows percent cells, or run it.

python examples/notebook.py reports/2026-11-23T10-15-02-quickstart
"""

# %% [markdown]
# Every run is a directory. `assay.open_run` gives its tables as data frames.

# %%
import sys

import matplotlib.pyplot as plt

import assay

run = assay.open_run(sys.argv[1])
topic = run.plan.topics[0]
for claim in run.results.claims:
    print(f"{claim.says}: {claim.verdict} ({claim.reason})")

# %% [markdown]
# One number per launch and variant: this is what verdicts rest on.

# %%
values = run.launches
cpu = values[values["metric"] == "cpu_per_request"]
table = cpu.pivot_table(index="launch", columns="variant", values="value") * 1e6
print(table.describe().round(1))

# %% [markdown]
# Latency by request, from the open loop.

# %%
samples = run.samples(topic.name)
opened = samples[(samples["mode"] == "open") & ~samples["disturbed"]]
latency = opened["waited"] + opened["end"] - opened["start"]
figure, axes = plt.subplots()
for variant, one in latency.groupby(opened["variant"], observed=True):
    axes.ecdf(1000 * one.dropna(), label=variant)
axes.set(xscale="log", xlabel="latency, ms", ylabel="share of requests")
axes.legend()
figure.savefig(run.path / "latency.svg")
