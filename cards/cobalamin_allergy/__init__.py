"""A vitamin B12 order for a patient with a recorded reaction to a cobalamin, to cobalt or to an excipient."""
