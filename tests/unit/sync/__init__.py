"""Tests of the rules: records in, decision out."""
