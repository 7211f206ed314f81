"""`attn doctor`: is this machine fit, and if not, what to do."""

import json
import sys

from experiments.commands.options import RUNS, AsJson, Runs


def doctor(runs: Runs = RUNS, as_json: AsJson = False) -> int:
    """Check versions, devices, the compiler and one training step."""
    from experiments.doctor import BAD, as_dicts, examine  # late, for start-up time

    findings = []
    for found in examine(runs):
        findings.append(found)
        if not as_json:
            print(f"{found.state:<8} {found.check:<9} {found.text}", flush=True)
            if found.remedy:
                print(f"{'':<18} -> {found.remedy}", flush=True)
    if as_json:
        json.dump(as_dicts(findings), sys.stdout, indent=2)
        print()
    return 2 if any(found.state == BAD for found in findings) else 0
