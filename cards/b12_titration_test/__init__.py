"""A serum B12 or MMA that is ordered only to time injections."""
