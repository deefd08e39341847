"""A vitamin B12 dose that looks like a slip of unit or of product."""
