"""What a result knows of each target, as one list of typed facts."""
