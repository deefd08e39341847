"""Whether a drafted course of vitamin B12 loads as neurological status requires."""
