"""Everything the product knows and does, jobs excepted."""
