"""A mask becomes regions: polygons, metres on the ground, filters, edits, agreement with another mask."""
