"""What runs in the Locust process: nothing else imports Locust."""
