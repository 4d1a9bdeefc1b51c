"""Table 1 of the DeconvNet paper, drawn again on any data."""
