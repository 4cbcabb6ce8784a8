"""Cobot's side: the login, API 1, API 2 and what a person does in Cobot."""
