"""Lifelong vitamin B12 treatment that is stopped, given an end, or has lapsed."""
