"""Folic acid ordered before B12 treatment is ensured."""
