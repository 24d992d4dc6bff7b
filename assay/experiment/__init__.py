"""Launches of randomised blocks: started, loaded, watched, kept."""
