"""Parts of the measurements: peers."""
