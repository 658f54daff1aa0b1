# What we use of segment-analytics-python 2; its client and its `post` only where tests and benchmarks compare.

from segment.analytics.client import Client as Client
