"""Classes out of an existing tracking plan: `instrument plan codegen`, the extra `instrument-analytics[codegen]`."""
