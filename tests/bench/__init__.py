"""What the portal costs, beside what the same would cost by hand: `make bench`."""
