"""The shop's endpoints, one file for each kind of thing."""
