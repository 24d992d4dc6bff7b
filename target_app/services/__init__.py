"""Business logic: reading and changing the data, independent of HTTP."""
