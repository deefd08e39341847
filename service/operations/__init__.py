"""What those who run the service see of it: counts, logs, traces."""
