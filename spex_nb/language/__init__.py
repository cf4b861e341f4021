"""Nine languages: instructions, prompts, answers, and claims that are checked."""
