"""Is A better than B, at what, at what cost, and how sure is that."""
