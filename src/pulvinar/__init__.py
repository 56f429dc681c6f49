"""Pulvinar: a data platform for brain atlases."""
