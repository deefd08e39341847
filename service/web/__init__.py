"""What the human pages are made of."""
