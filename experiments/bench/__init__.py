"""How fast and how small: measured beside rivals in the same run."""
