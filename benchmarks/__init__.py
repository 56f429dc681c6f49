"""Figures: each module is a command that runs us and a peer, or the limit, side by side and prints the ratio."""
