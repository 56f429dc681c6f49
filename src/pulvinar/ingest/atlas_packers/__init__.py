"""Packers: how the files of a public source become an atlas, one module a source."""
