"""A calculator of bare WSGI, which lets a pool of threads count."""
