"""Small honest programs that do the same by hand, or the way it is usually done."""
