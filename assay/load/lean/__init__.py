"""`LeanHttpUser`: FastHttpUser's common ways at a fraction of its cost.

`request`, `chunked` and `coding` are pure; `wire` needs gevent, the rest Locust.
"""
