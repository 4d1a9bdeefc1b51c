"""The commands of `python -m fcn_jax`, a file each."""
