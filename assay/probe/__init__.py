"""The probe: code that runs inside a target while it is profiled, and never otherwise.

The probe counts what a profiler outside the process cannot see: how long requests wait
for a thread, a connection, a lock or the event loop, which code holds it meanwhile,
which queries requests send and how often, and how long garbage collection stops them.

Environment variables put the probe into a target: `site/sitecustomize.py` comes first
on PYTHONPATH, starts the probe, and then runs the `sitecustomize` that it hides. The
probe works on Python 3.9 and newer, and imports only the standard library. It patches a
module after the target has imported it, and never raises an error into the target.

This module imports nothing. The names that Assay and the probe share are in
`environment`.
"""
