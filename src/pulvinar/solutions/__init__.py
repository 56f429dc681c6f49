"""What is computed from brains: each folder is one solution, plain verbs on arrays and blocks.

A solution reads blocks with a halo and gives back what is inside of them, so that an engine can spread it; its
accuracy is written down beside it, as a card that can be measured again.
"""
