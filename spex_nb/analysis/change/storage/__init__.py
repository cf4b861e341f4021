"""A change as a folder, and back: `saved_change` writes it, `stored_change` reads it as data only."""
