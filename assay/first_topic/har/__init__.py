"""HAR files, the recordings of browsers and proxies, read as a journey."""
