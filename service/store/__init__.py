"""What was shown and what became of it, tokens already used, and what was overridden; no patient identifier."""
