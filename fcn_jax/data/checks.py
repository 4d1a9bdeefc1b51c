"""First, short form of this module."""


def check_num_classes(source, num_classes):
    if len(source.classes) != num_classes:
        raise ValueError("classes")
