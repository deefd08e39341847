"""Vitamin B12 ordered into a vein."""
