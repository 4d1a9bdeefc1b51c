"""Files and directories that are written whole or not at all."""
