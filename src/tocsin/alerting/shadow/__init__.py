"""In shadow: what a node would have sent, beside what the others log."""
