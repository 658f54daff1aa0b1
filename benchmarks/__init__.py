"""What the client costs and what it survives, side by side with segment-analytics-python.

`python -m benchmarks` measures cost and speed; `python -m benchmarks.faults` breaks things and counts what is lost.
"""
