"""A photo album, with Flask."""
