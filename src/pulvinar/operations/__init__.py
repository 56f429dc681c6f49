"""Keeping it running: checking stored bytes, clearing what nothing refers to."""
