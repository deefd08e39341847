"""Rechecks of vitamin B12 treatment that fell due and were not made."""
