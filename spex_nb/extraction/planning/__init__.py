"""An extraction before its first tile: who answers what, which tiles there are, what it takes."""
