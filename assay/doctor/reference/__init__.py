"""The reference server and locustfile with which `assay doctor` tests a machine."""
