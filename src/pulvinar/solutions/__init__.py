"""Declared processing: what a solution is, how one is asked for and carried out, and those that come along."""
