"""The benchmark: how fast the service answers, beside a minimal FastAPI app in the same minutes."""
