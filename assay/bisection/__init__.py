"""`assay bisect`: finds the commit that made something slower."""
