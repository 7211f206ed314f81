"""What to compute: frozen pytrees, no execution."""
