"""`LeanHttpUser`: the common features of FastHttpUser at a fraction of its CPU time.

`request`, `chunked`, `coding` and `errors` do no I/O and import neither gevent nor
Locust. `wire` imports gevent, and the other modules import Locust, too.
"""
