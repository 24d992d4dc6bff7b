"""`LeanHttpUser`: the common features of FastHttpUser at a fraction of its CPU time.

`request`, `chunked` and `coding` do no I/O; `wire` needs gevent, the rest Locust.
"""
