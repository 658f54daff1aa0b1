"""A weather station, with Litestar."""
