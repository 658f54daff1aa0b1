"""The events against the table of the original, and the application against its events."""
