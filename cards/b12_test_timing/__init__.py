"""A test ordered at a moment when its result will mislead."""
