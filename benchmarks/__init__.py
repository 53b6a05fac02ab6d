"""What tegmen costs, measured beside named peers in one run: `python -m benchmarks`."""
