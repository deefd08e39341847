"""B12 prophylaxis missing after surgery of stomach or ileum, or yearly tests missing in ileal Crohn's disease."""
