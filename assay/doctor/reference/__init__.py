"""The server and the locustfile with which `assay doctor` tests a machine."""
