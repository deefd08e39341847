"""The only rooms that speak FHIR: prefetch templates, the lenient reader and the strict writer."""
