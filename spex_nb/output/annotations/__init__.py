"""A map as training data of other tools, and their annotations back on the map: COCO, YOLO, and where images lie."""
