"""Windows of rasters and arrays: read, resampled, cut into tiles, and blended."""
