"""A call of an application's own, beside those of the Segment spec."""
