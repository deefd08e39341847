"""Cyanocobalamin in Leber hereditary optic neuropathy."""
