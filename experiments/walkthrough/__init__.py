"""`attn walkthrough`: what attention computes, one step at a time."""

from experiments.walkthrough.page import main as main
from experiments.walkthrough.steps import Step as Step
from experiments.walkthrough.steps import Walk as Walk
from experiments.walkthrough.steps import walk as walk
