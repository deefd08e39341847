"""Loading with vitamin B12 when potassium is low or will fall."""
