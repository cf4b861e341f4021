"""From typed facts to sentences in nine languages: what is said, in which order, and in which words."""
