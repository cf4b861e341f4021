"""A language model of the user's own, asked for what an instruction may mean once the parser has refused it."""
