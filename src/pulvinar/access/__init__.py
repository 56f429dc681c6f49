"""Who may do what: actors, what each may see, and the unit of work that ties a change to its right and its record."""
