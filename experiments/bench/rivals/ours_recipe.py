"""`attn train` of a config, from the start of its process to its end."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from experiments.bench.contender import Arrays, Contender
from experiments.bench.rivals.whole import Runs, run
from experiments.bench.work import RECIPE, RecipeWork
from experiments.config import Config, load, resolve
from experiments.shipped import find_config
from experiments.tasks import corpora

SWITCH = "JAX_ENABLE_COMPILATION_CACHE"  # off in the process of a contender
BARE = "sample.every=null"  # a rival writes none


def recipe(work: RecipeWork, given: Arrays) -> Contender:
    """Runs on the text that the config names, with a compilation cache of their own."""
    del given
    path = find_config(work.config)
    text = corpora.read(load(path, list(work.options)).data).text

    def once(seed: int, folder: Path) -> float:
        place, runs = folder / "text.txt", folder / "runs"
        place.write_text(text, encoding="utf-8")
        said = [*work.options, f"data.path={place}", BARE, f"seed={seed}"]
        words = ["train", str(path), *said, "--runs", str(runs), "--quiet"]
        run([sys.executable, "-m", "experiments.cli", *words], with_cache(folder))
        (result,) = runs.glob("*/result.json")
        loss = float(json.loads(result.read_text(encoding="utf-8"))["val/loss"])
        shutil.rmtree(runs)
        return loss

    return Runs(once, work.below).contender(lambda: told(text))


def with_cache(folder: Path) -> dict[str, str]:
    """Variables of a process that has an empty compilation cache at first."""
    others = {k: x for k, x in os.environ.items() if k != SWITCH}
    return others | {"XDG_CACHE_HOME": str(folder / "cache")}


def told(text: str) -> Arrays:
    """The text, and the recipe's rates and constants of AdamW, for another library."""
    config = load(find_config(RECIPE), ["data.path=text.txt"])
    adam = config.optim
    return {
        "text": np.frombuffer(text.encode("utf-8"), np.uint8),
        "rates": rates(config),
        "adam": np.array([*adam.betas, adam.eps, adam.weight_decay, adam.clip]),
    }


def rates(config: Config) -> np.ndarray:
    """[steps] the learning rate of each."""
    from experiments.optim import make_schedule  # late: it imports JAX

    plan = resolve(config)
    schedule = make_schedule(
        config.optim, steps=plan.steps, warmup=plan.warmup, decay=plan.decay
    )
    return np.array([float(schedule(step)) for step in range(plan.steps)])
