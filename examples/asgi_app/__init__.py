"""Two services of bare ASGI: what the first knows of a request goes along to the second."""
