"""What Cobot says: records and a client. Knows no Flask, no database, no settings."""
