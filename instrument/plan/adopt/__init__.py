"""Classes out of code that calls Segment's client: `instrument plan adopt`, extra `instrument-analytics[codegen]`."""
