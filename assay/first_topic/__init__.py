"""Write a first topic for the user's own service: the work of `assay init`."""
