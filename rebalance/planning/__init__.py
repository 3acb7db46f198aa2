"""Deciding: pure functions from counts, names and settings to plans."""
