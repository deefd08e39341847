"""Two overlapping vitamin B12 treatments."""
