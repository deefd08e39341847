"""What an engineer operates: HTTP, the CDS Hooks wire format and FHIR, around the rules in `cards`."""
