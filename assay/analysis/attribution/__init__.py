"""What a difference can be attributed to: evidence -> causes.

`rounds` compares what both sides of a pair did in rounds of profiling, `ledger` adds
up where the time of a request goes, `causes` names what the difference comes from,
`sentences` says it, and `stacks` compares two profiles of call stacks.
"""
