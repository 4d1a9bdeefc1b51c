"""The steps of the package compiled for a chip that is not there."""
