"""The CDS Hooks wire format, field for field as the standard writes it: no logic, no FHIR."""
