"""From a message that was accepted to the destinations that take it."""
