"""What the platform knows: datasets, versions, assets and their objects, and how to find them."""
