"""The processings that Pulvinar brings along: each brings data further, and says how well it does."""
