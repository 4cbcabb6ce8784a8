"""The product's clients and the simulator against the vendors' published descriptions."""
