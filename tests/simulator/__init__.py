"""Both remote sides, Cobot and sevdesk, as one process for tests and for trying out by hand."""
