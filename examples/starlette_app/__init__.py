"""A guest book, with Starlette."""
