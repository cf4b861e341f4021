"""Spectral indices: catalogue, formulas, thresholds, and the priors that are made of them."""
