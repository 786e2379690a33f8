"""A file becomes a tree of values that know where they were written."""
