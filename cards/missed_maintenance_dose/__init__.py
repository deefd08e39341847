"""A maintenance injection of vitamin B12 that is overdue."""
