"""Who does which work: a row a contender, a file a library."""

from collections.abc import Mapping

HERE = "experiments.bench.rivals"

# suite -> name -> `module:function`, which takes the work and the arrays given by ours.
CONTENDERS: Mapping[str, Mapping[str, str]] = {
    "attention": {
        "ours": f"{HERE}.ours:attention",
        "jax.nn": f"{HERE}.jax_nn:attention",
        "plain jnp": f"{HERE}.plain:attention",
        "torch": f"{HERE}.torch_sdpa:attention",
        "flex": f"{HERE}.flex:attention",
    },
    "step": {
        "ours": f"{HERE}.ours_step:step",
        "torch": f"{HERE}.torch_step:eager",
        "torch.compile": f"{HERE}.torch_step:compiled",
    },
}
