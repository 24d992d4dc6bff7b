"""The load generator: what runs inside the Locust process, and its remote control.

`assay.load.remote` is Assay's side and never imports Locust. `python -m
assay.load` is the other side: it imports Locust, and nothing of the analysis.
"""
