"""The clients against canned answers and against a peer that misbehaves."""
