"""Mosaic, a chip that does not exist, as a target of snnc: an example of a target in a package of its own."""
