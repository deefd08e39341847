"""Oral B12 as the only treatment where its absorption is doubtful."""
