"""A library, with Django."""
