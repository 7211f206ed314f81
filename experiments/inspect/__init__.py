"""What a trained model does with a text: attention of every head, and the logit lens.

    from experiments.inspect.look import inspect_run

    seen = inspect_run("runs/tiny_lm-1a2b3c4d", prompt="def main(")
    seen.layers[0].weights     # [N, T, S]
    seen.heads(sort="induction")[0].name

Importing this imports nothing; `scores` and `view` need NumPy alone, `look` needs JAX.
"""
