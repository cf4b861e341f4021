"""The door for agents: six tools over the Model Context Protocol, confined to folders that a person names."""
