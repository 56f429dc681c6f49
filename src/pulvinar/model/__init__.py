"""The nouns of the platform: frozen values without input or output, shared by every room."""
