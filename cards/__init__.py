"""What a clinician signs off: the vitamin B12 rules, their wording and evidence, and the patient as they see them."""
