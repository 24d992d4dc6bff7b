"""The machine: processes, ports, signals, what is recorded of it, what is hidden."""
