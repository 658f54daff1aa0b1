"""A newsletter, with FastAPI: who is signed in comes from a dependency."""
