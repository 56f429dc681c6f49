"""People's data: what identifies a person is found in files that are handed in, removed, and looked for once more."""
