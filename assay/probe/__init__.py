"""The probe: code that runs inside a target while it is profiled, and never otherwise.

The probe counts what a profiler outside the process cannot see. It times how long
requests wait for a thread, a connection, a lock, the event loop, a query, another
service or the garbage collector. It finds the code that waits, and the code that holds
what others wait for. It can also count calls of functions, find the lines that keep
memory, and sample what happens during start-up.

Environment variables put the probe into a target: `site/sitecustomize.py` comes first
on PYTHONPATH, starts the probe, and then runs the `sitecustomize` that it hides. The
probe works on Python 3.9 and newer, and imports only the standard library. It patches
most modules when the target has imported them, and never raises an error into the
target.

This module imports nothing. The names that Assay and the probe share are in
`environment`.
"""
