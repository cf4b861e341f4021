"""The command `spex doctor`: what is checked of machine and packages."""
