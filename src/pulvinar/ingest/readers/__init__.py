"""The file formats that come with the platform, one module a family; each is a `Reader` found by its entry point."""
