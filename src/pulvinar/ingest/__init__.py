"""Bringing data in: recognise files, read them safely, check them, and make them part of a dataset."""
