"""Where envelopes go: one module for each."""
