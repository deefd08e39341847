"""Patients who do not exist: the vignettes as an EHR would send them, for trying the service out and for its tests."""
