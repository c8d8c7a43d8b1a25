"""The loops that numba compiles; imported only when a program is run."""
