"""A borderline vitamin B12 in a patient with symptoms or risk, and no test of its function."""
