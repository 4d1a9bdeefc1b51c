"""Data sets as sources, one kind a module."""
