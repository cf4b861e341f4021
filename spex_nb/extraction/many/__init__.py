"""Results of many scenes: their table on the map, and one map of neighbours."""
