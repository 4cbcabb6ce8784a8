"""Each protection with the test that fails when it is taken away."""
