"""What else a call may return, named by strings."""

from attn.backends.dense import probe

WHOLE = ("weights", "logits")  # arrays [T, S]: only where the caller asks for them


def check_probes(probes: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
      ValueError: An unknown name, or `mass(...)` of what is no mask.
    """
    probes = (probes,) if isinstance(probes, str) else tuple(probes)
    for name in probes:
        probe(name)
    return probes
