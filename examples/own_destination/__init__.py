"""A destination of an application's own: an HTTP API that takes lines of JSON."""
