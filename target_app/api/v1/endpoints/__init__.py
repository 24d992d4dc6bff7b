"""The shop's endpoints, one file for each resource."""
