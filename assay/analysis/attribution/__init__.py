"""Attribution: from evidence to the causes of a difference.

`rounds` compares a quantity of both sides over rounds of profiling. `ledger` divides
the time of a request into parts. `causes` finds the causes of a difference of latency,
`growth` those of memory, and `starts` those of start-up. `every_cause` collects them
all, and `changes` marks the causes in changed code. `frontier` finds the function with
a difference of CPU time, `calls` counts its calls, and `sentences` describes a cause.
`outgoing` lists queries and calls to other services. `stacks` compares two profiles of
call stacks.
"""
