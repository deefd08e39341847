"""Who may call, and what each of them is answered with."""
