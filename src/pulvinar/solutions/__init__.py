"""The processings that Pulvinar brings along: each brings a brain, a recording or a section further, and says how well."""
