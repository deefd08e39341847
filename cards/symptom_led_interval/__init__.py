"""Neurological symptoms that return before the next maintenance injection of vitamin B12."""
