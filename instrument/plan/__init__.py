"""The tracking plan, the extra `instrument-analytics[plan]`: what classes declare, and where it is emitted."""
