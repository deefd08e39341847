"""A confirmed vitamin B12 deficiency that nobody treats."""
