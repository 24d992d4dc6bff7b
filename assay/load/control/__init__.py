"""Locust processes as Assay sees them: started, asked, ended."""
