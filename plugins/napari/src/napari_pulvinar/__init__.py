"""Pulvinar in napari: search its brains, open any of them lazily and at every resolution."""

from napari_pulvinar.layers import layers_of

__all__ = ["layers_of"]
