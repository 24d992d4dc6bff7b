"""What runs in the Locust process: only this folder and `lean` import Locust."""
