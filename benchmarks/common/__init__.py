"""Parts of the measurements: common."""
