"""Readers of labelled scenes."""
