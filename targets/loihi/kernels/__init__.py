"""Kernels that only Loihi has."""
