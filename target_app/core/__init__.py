"""What all parts of the service use: settings, connections, errors and logs."""
