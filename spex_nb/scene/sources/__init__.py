"""Where scenes come from: files, folders and archives of products, containers, arrays and catalogue items."""
