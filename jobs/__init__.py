"""What a worker runs: thin, each takes ids, reads fresh rows and calls one service."""
