"""Locust processes as Assay sees them: started, sent orders, ended."""
