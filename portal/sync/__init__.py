"""What we decide, pure: records in, decision out. No clock, no settings, no network, no database."""
