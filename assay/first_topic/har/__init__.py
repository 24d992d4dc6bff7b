"""Read a HAR file, which a browser or a proxy has recorded, as a journey."""
