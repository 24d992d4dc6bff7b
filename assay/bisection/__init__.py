"""`assay bisect`: which commit made it slower."""
