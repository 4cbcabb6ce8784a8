"""Tests of the simulator's sevdesk side."""
