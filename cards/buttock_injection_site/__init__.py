"""A vitamin B12 injection ordered into the buttock."""
