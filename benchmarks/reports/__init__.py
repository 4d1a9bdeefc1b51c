"""Parts of the measurements: reports."""
