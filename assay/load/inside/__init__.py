"""The code that runs in the Locust process; besides it, only `lean` imports Locust."""
