"""The commands: `spex …`, `%spex`, the demo, the self-check, the lessons."""
