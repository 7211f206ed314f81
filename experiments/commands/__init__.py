"""The verbs of the `attn` command, one file a group.

They import what they need when they run: `attn --help` and a config with mistakes are
answered before JAX has been imported.
"""
