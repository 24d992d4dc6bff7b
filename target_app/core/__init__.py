"""Settings, connections, errors, logs, and the other parts that endpoints use."""
