"""The probe: what runs inside a target while it is profiled, and never otherwise.

It counts what a profiler outside cannot see: how long requests wait for a thread,
a connection, a lock or the event loop, who holds it meanwhile, which queries they
send and how many, and how long garbage collection stops them.

It is put into a target through its environment: `site/sitecustomize.py` comes first
on PYTHONPATH, starts the probe, and then runs the `sitecustomize` that it hides. It
works on Python 3.9 and newer, imports nothing but the standard library, patches a
module when the target has imported it, and never raises into the target.

`assay.probe` imports nothing: what Assay needs to know of it is in `environment`.
"""
