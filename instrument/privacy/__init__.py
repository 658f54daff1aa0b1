"""Privacy: what is personal in a message, what becomes of it for each destination, and what a user consents to."""
