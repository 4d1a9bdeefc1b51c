"""How a network is asked about images: whole, in windows, in an ensemble."""
