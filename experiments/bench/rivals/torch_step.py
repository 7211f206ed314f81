"""The same model and recipe in torch, eager and compiled, from the same weights.

A decoder as `configs/nanogpt_cpu.yaml` says it: learned positions, layer norms without
bias before attention and feed-forward, exact GELU, a tied head, AdamW on matrices and
tables with clipping by the global norm, a new learning rate at every step.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.bench.contender import Arrays, Contender, cores
from experiments.bench.rivals.text import SEED, symbols
from experiments.bench.rivals.torch_sdpa import libraries
from experiments.bench.work import StepWork

EPSILON = 1e-5  # of our layer norm
STEPS = 8  # of a timed call, as ours
WINDOWS = 0  # seed of the windows that are timed


class Block(nn.Module):
    """Attention and feed-forward, each after a norm, each added to its input."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, EPSILON, bias=False)
        self.projection = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.LayerNorm(width, EPSILON, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.projection(self.attention_norm(x)).chunk(3, -1)
        query, key, value = (p.unflatten(-1, (self.heads, -1)) for p in parts)
        attended = functional.scaled_dot_product_attention(
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            is_causal=True,
        )
        x = x + self.output(attended.transpose(1, 2).flatten(-2))
        return x + self.down(functional.gelu(self.up(self.mlp_norm(x))))


class Model(nn.Module):
    """Tokens and targets [B, T] to the mean loss."""

    def __init__(self, work: StepWork, vocabulary: int):
        super().__init__()
        self.table = nn.Parameter(torch.empty(vocabulary, work.width))
        self.position = nn.Parameter(torch.empty(work.context, work.width))
        self.blocks = nn.ModuleList(
            Block(work.width, work.heads) for _ in range(work.layers)
        )
        self.norm = nn.LayerNorm(work.width, EPSILON, bias=False)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        x = functional.embedding(tokens, self.table) + self.position
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.norm(x), self.table)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def eager(work: StepWork, given: Arrays) -> Contender:
    """As torch runs it."""
    return contender(work, given, compiles=False)


def compiled(work: StepWork, given: Arrays) -> Contender:
    """Through `torch.compile`."""
    return contender(work, given, compiles=True)


def contender(work: StepWork, given: Arrays, *, compiles: bool) -> Contender:
    """Training on windows drawn from the same text; the check has the same batches."""
    torch.set_num_threads(cores())
    torch.manual_seed(WINDOWS)
    text = torch.from_numpy(symbols())
    training = Training(work, given, compiles=compiles)

    def call() -> None:
        for _ in range(STEPS):
            training.step(*window(text, work))

    def outputs() -> list[np.ndarray]:
        fresh = Training(work, given, compiles=compiles)
        batches = zip(given["tokens"], given["targets"], strict=True)
        pairs = [
            [torch.from_numpy(x.astype(np.int64)) for x in each] for each in batches
        ]
        return [np.array([fresh.step(*each) for each in pairs], np.float32)]

    facts = libraries() | {"seeds": {"text": SEED, "training": WINDOWS}}
    return Contender(call, outputs, facts, units=STEPS)


def window(text: Tensor, work: StepWork) -> tuple[Tensor, Tensor]:
    """A batch of random windows, and the same one token later."""
    starts = torch.randint(len(text) - work.context - 1, (work.batch,)).tolist()
    tokens = torch.stack([text[i : i + work.context] for i in starts])
    targets = torch.stack([text[i + 1 : i + 1 + work.context] for i in starts])
    return tokens, targets


class Training:
    """A model and its optimizer, from given weights."""

    def __init__(self, work: StepWork, given: Arrays, *, compiles: bool):
        self.model = Model(work, given["embedding.table"].shape[0])
        load(self.model, given)
        self.compute = torch.compile(self.model) if compiles else self.model
        first, second, epsilon, decay, self.clip = map(float, given["adam"])
        vectors = [p for p in self.model.parameters() if p.ndim < 2]
        others = [p for p in self.model.parameters() if p.ndim >= 2]
        groups = [
            {"params": others, "weight_decay": decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        # The fused optimizer is torch's fastest on a CPU, too.
        self.optimizer = torch.optim.AdamW(
            groups, betas=(first, second), eps=epsilon, fused=True
        )
        self.rates, self.taken = given["rates"], 0

    def step(self, tokens: Tensor, targets: Tensor) -> float:
        """One update; the loss before it."""
        rate = float(self.rates[min(self.taken, len(self.rates) - 1)])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.taken += 1
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.compute(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return loss.item()


def load(model: Model, given: Arrays) -> None:
    """Copies the weights; our kernels are [inputs, outputs], torch's the reverse."""
    put(model.table, given["embedding.table"])
    put(model.position, given["position.parameters.table"])
    put(model.norm.weight, given["norm.scale"])
    for number, block in enumerate(model.blocks):
        ours = {k: given[f"blocks.{number}.{k}"] for k in OURS}
        for name, array in theirs(ours).items():
            put(block.get_parameter(f"{name}.weight"), array)


OURS = (
    "attention_norm.scale",
    "attention.query.kernel",
    "attention.key.kernel",
    "attention.value.kernel",
    "attention.output.kernel",
    "mlp_norm.scale",
    "mlp.up.kernel",
    "mlp.down.kernel",
)


def theirs(ours: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a block under torch's names."""
    norm, query, key, value, output, mlp_norm, up, down = (ours[name] for name in OURS)
    return {
        "attention_norm": norm,
        "projection": np.concatenate([query.T, key.T, value.T]),
        "output": output.T,
        "mlp_norm": mlp_norm,
        "up": up.T,
        "down": down.T,
    }


def put(parameter: Tensor, array: np.ndarray) -> None:
    """Overwrites a parameter."""
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))
