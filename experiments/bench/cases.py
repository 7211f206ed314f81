"""The cases: a row is some work, its rivals, and how much faster we want to be.

A goal is a rival's time over ours. `attn bench SUITE` measures the cases marked
`brief`, and `--all` all of them.
"""

from dataclasses import dataclass

from experiments.bench.work import (
    AttentionWork,
    CompileWork,
    LayerWork,
    RecipeWork,
    StepWork,
    Work,
)


@dataclass(frozen=True)
class Goal:
    """A rival to be measured beside ours.

    Args:
      rival: its name in `experiments.bench.rivals`.
      goal: its time over ours that we want to reach; None asks for nothing.
      stretch: what would be better still.
      at_most: whether the goal is a bound from above: the other is ours, too.
    """

    rival: str
    goal: float | None = None
    stretch: float | None = None
    at_most: bool = False


@dataclass(frozen=True)
class Case:
    """A row.

    Args:
      work: what is computed.
      goals: who else computes it.
      brief: part of a run without `--all`.
      platform: where alone it is measured, or None for everywhere.
    """

    work: Work
    goals: tuple[Goal, ...]
    brief: bool = False
    platform: str | None = None

    @property
    def suite(self) -> str:
        """Which group of cases it belongs to."""
        return self.work.suite


FOUR = [(4, 256, 8), (4, 512, 8), (1, 2048, 8), (1, 4096, 4)]  # B, T, N; H is 64
SMALL = [(12, 64, 4), (8, 128, 8)]
CAPPED = "softcap(50) >> alibi, causal"


def _attention(spec: str, shape: tuple[int, int, int], **more) -> AttentionWork:
    batch, length, heads = shape
    return AttentionWork(spec, batch, length, heads, **more)


def _causal(shape: tuple[int, int, int], *, brief: bool) -> list[Case]:
    """Forward, and forward + backward, of a plain causal call."""
    long = shape[1] >= 512
    forward = [Goal("jax.nn", 3.0, 4.0) if long else Goal("jax.nn")]
    both = [Goal("jax.nn", 2.5, 4.0) if long else Goal("jax.nn")]
    forward += [Goal("torch", 0.85, 1.0), Goal("flex")]
    both += [Goal("torch", 0.95, 1.25), Goal("flex")]
    return [
        Case(_attention("causal", shape), tuple(forward), brief),
        Case(_attention("causal", shape, backward=True), tuple(both), brief),
    ]


def _small(shape: tuple[int, int, int], *, brief: bool) -> list[Case]:
    return [
        Case(
            _attention("causal", shape, backward=backward),
            (Goal("jax.nn", 1.0, 1.3), Goal("torch")),
            brief,
        )
        for backward in (False, True)
    ]


ATTENTION = [
    *(case for shape in FOUR for case in _causal(shape, brief=shape[1] in (512, 2048))),
    *(
        Case(_attention("everything", shape), (Goal("jax.nn", 1.5, 2.0), Goal("torch")))
        for shape in FOUR[1:]
    ),
    Case(
        _attention("causal & window(back=255)", FOUR[3], backward=True),
        (Goal("torch", 4.0, 8.0), Goal("jax.nn")),
        brief=True,
    ),
    Case(
        _attention("causal & segments", FOUR[3], backward=True, documents=8),
        (Goal("torch", 3.0, 6.0), Goal("jax.nn")),
        brief=True,
    ),
    Case(_attention(CAPPED, FOUR[2]), (Goal("plain jnp", 2.5, 4.0),)),
    Case(
        _attention(CAPPED, FOUR[2], backward=True),
        (Goal("plain jnp", 2.5, 4.0),),
        brief=True,
    ),
    *(case for shape in SMALL for case in _small(shape, brief=shape[1] == 64)),
]
# The grid of the flash-attention papers: hidden 2,048, 16k tokens a call, bfloat16.
# Dao 2023, section 4.1, arXiv 2307.08691.
HIDDEN, TOKENS = 2048, 16384
FLASH_GRID = [
    Case(
        AttentionWork(
            spec,
            TOKENS // length,
            length,
            HIDDEN // width,
            width,
            backward=backward,
            dtype="bfloat16",
        ),
        (Goal("jax.nn", 0.95), Goal("torch", 0.8), Goal("flex")),
        platform="gpu",
    )
    for spec in ("everything", "causal")
    for width in (64, 128)
    for length in (512, 1024, 2048, 4096, 8192, 16384)
    for backward in (False, True)
]
EAGER, ONE = Goal("torch"), Goal("one a call")
STEP = [
    Case(
        StepWork(),
        (Goal("torch", 1.2, 1.5), Goal("torch.compile", 1.05, 1.3), ONE),
        brief=True,
    ),
    Case(
        StepWork(layers=6, heads=6, width=192, context=256, batch=8),
        (EAGER, Goal("torch.compile", 1.0, 1.3)),
        brief=True,
    ),
]


def _layer(length: int, batch: int, *, brief: bool) -> list[Case]:
    flax = Goal("flax", 1.2, 2.0) if length >= 256 else Goal("flax", 1.0, 1.2)
    others = (Goal("equinox"), Goal("torch"), Goal("x-transformers"))
    works = [LayerWork(batch, length, backward=backward) for backward in (True, False)]
    return [Case(work, (flax, *others), brief and work.backward) for work in works]


LAYER = [
    case
    for length, batch in ((64, 16), (128, 16), (256, 8), (512, 4), (1024, 2), (2048, 1))
    for case in _layer(length, batch, brief=length in (64, 256, 1024))
]
COMPILE = [
    Case(
        CompileWork(options=("model.scan=true",)),
        (Goal("deep", 1.5, 1.2, at_most=True),),
        brief=True,
    ),
    Case(CompileWork(deep=12), (Goal("deep"),)),
]
RECIPES = [
    Case(RecipeWork(), (Goal("torch", 1.2, 1.5),), brief=True),
    Case(RecipeWork("fast_shakespeare", below=1.88), (Goal("torch", 6.0, 10.0),), True),
]
SUITES = {
    "attention": ATTENTION,
    "layer": LAYER,
    "step": STEP,
    "compile": COMPILE,
    "recipe": RECIPES,
    "flash_grid": FLASH_GRID,
}


def of_suite(suite: str, *, everything: bool = False) -> list[Case]:
    """The rows of a suite; those of a suite without brief ones are all measured."""
    cases = SUITES[suite]
    brief = [each for each in cases if each.brief]
    return cases if everything or not brief else brief
