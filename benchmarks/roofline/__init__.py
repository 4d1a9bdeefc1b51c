"""Parts of the measurements: roofline."""
