"""What is lost when things break: real processes, a real collector, and a count of every message.

`python -m benchmarks.faults` prints the table. A row is a function in `rows`, decorated with its name.
"""
