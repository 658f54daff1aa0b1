"""A shop, with FastAPI and SQLAlchemy: its events are rows of the transactions that they tell of."""
