"""Any source of pixels becomes a Scene; windows of it are read at any scale."""
