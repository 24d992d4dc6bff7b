"""A server and its locustfile that come with Assay: to try out a machine with."""
