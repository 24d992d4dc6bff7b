"""A FastAPI service that shows each practice of the guide, before and after."""
