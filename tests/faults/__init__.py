"""The forty faults: what must survive, done to real processes and looked at from outside."""
