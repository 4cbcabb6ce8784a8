"""`make demo`: the whole product with both remote sides simulated, and a story told with it."""
