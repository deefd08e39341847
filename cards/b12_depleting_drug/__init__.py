"""Metformin or acid suppression for long, or with signs of deficiency, and no B12 test."""
