"""Nitrous oxide exposure in a patient with neurological signs or vitamin B12 deficiency."""
