"""The HTTP interface for programs, version 1: thin handlers over the catalogue's verbs."""
