"""An intramuscular injection of vitamin B12 in a patient who bleeds easily."""
