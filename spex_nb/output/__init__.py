"""What leaves the program: files, pictures, HTML, images for a map."""
