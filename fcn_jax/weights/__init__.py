"""Weight files in and out: one format a file, and whose layer is whose."""
