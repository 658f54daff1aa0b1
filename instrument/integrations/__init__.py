"""Entry points: where a framework's request comes in, and its request scope is opened.

Each module imports its own framework alone, and nothing here imports any of them.
"""
