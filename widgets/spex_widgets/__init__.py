"""The notebook widgets of spex_nb."""
