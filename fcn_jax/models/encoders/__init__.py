"""Encoders: image -> named features."""
