"""Scenes of one place on one pixel grid: their overlap, the shift between them, and their pixels there."""
