"""Methylcobalamin or adenosylcobalamin as the only B12 injection."""
