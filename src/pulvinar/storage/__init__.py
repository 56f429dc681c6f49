"""Where bytes lie and how they are laid out: stores, volumes with their pyramids, and the SQL engine."""
