"""Kinds of data sets: one file each, named like the kind, with its `KIND`."""
