"""The machine: processes, ports, signals, its description, and redaction of secrets."""
