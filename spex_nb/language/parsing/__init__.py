"""The parser of instructions: words, numbers, grammar, checks, and the meaning said back."""
