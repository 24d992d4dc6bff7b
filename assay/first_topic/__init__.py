"""A first topic for somebody's own service: what `assay init` writes."""
