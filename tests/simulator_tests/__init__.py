"""The simulator's own tests: the real process, driven over HTTP by its contract alone."""
