"""The figures of docs/how_it_works.md, drawn from the layer lists of the networks."""
