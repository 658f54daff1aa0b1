"""Every client that is compared, in one run, as a page with tables and plots: `python -m benchmarks.report`."""
