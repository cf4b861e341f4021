"""The map: its view, images, outlines, pointer and base maps."""
