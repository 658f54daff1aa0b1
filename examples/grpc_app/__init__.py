"""A dictionary that is asked over gRPC."""
