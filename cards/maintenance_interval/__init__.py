"""Maintenance injections of vitamin B12 at too long an interval."""
