"""Is this machine fit to measure on, and what is missing?"""
