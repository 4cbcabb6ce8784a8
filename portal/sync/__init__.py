"""What we decide, pure: records in, decision out. No clock, settings, network or database."""
