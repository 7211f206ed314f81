"""What else a call may return, named by strings."""

from attn.backends.dense import PROBES

WHOLE = ("weights", "logits")  # arrays [T, S]: only where the caller asks for them


def check_probes(probes: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
      ValueError: An unknown name.
    """
    probes = (probes,) if isinstance(probes, str) else tuple(probes)
    for name in probes:
        if name not in PROBES:
            known = ", ".join(PROBES)
            raise ValueError(f"attend: unknown probe `{name}`; one of {known}.")
    return probes
