"""First, short form of this module."""


def open_source(name, split, *, root=None, data_dir=None, manual_dir=None):
    if name == "folder":
        from fcn_jax.data.voc_folder import VocFolder

        return VocFolder(root, split)
    if name == "shapes":
        from fcn_jax.data.shapes import open_shapes

        return open_shapes(split, data_dir)
    raise ValueError(name)
