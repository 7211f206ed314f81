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
    "layer": {
        "ours": f"{HERE}.layer:attention",
        "flax": f"{HERE}.flax_mha:attention",
        "equinox": f"{HERE}.equinox_mha:attention",
        "torch": f"{HERE}.torch_layer:attention",
        "x-transformers": f"{HERE}.torch_layer:x_transformers",
    },
    "step": {
        "ours": f"{HERE}.ours_step:step",
        "one a call": f"{HERE}.ours_step:single",
        "torch": f"{HERE}.torch_step:eager",
        "torch.compile": f"{HERE}.torch_step:compiled",
    },
    "compile": {
        "ours": f"{HERE}.ours_compile:shallow",
        "deep": f"{HERE}.ours_compile:deep",
    },
    "recipe": {
        "ours": f"{HERE}.ours_recipe:recipe",
        "torch": f"{HERE}.torch_recipe:recipe",
    },
}
