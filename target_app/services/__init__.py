"""What the service knows about its data, apart from how it is asked."""
