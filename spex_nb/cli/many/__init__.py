"""Commands for results of many scenes."""
