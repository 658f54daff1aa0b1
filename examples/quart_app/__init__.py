"""A chat, with Quart."""
