"""Minutes of everyday use in bad weather: what is lost, and what grows.

`make soak`
"""
