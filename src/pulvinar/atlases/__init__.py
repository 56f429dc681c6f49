"""Reference brains: what is installed, and the questions that an atlas answers about places and regions.

The manifest and the tree of regions are values of `model`; installing (from public sources, by a packer) is ingest's.
"""
