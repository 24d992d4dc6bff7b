"""Services whose side `b` has a planted cause; each is one file, named after it."""
