"""How attention is computed: each backend computes a spec, or says why not."""
