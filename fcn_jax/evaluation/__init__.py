"""How predictions are judged: the pass over a split, and its metrics."""
