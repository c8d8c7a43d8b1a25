"""Kernels that only TrueNorth has."""
