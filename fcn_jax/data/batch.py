"""What the entries of a batch are called, where that follows a rule."""


def scaled_key(name: str, scale: float) -> str:
    """The entry that holds `image` or `sizes` at a scale other than 1: `image@0.5`."""
    return f"{name}@{scale:g}"
