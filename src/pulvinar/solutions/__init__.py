"""Declared processing: what a solution is, how one is asked for and carried out, and those that come along.

Each folder is one solution, plain verbs on arrays and blocks with a halo, so that an engine can spread it; its accuracy
is written down beside it, as a card that can be measured again.
"""
