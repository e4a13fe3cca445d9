"""Losses and exact metrics: sums over examples, divided once at the end."""

from capsjax.evaluation.evaluate import (
  EvalStep,
  EvaluateFn,
  create_eval_step,
  evaluate,
  padded_batches,
)
from capsjax.evaluation.metrics import Metrics, Results
from capsjax.evaluation.objective import (
  Losses,
  Objective,
  capsule_losses,
  cross_entropy_losses,
  sigmoid_losses,
)

__all__ = [
  'EvalStep',
  'EvaluateFn',
  'Losses',
  'Metrics',
  'Objective',
  'Results',
  'capsule_losses',
  'create_eval_step',
  'cross_entropy_losses',
  'evaluate',
  'padded_batches',
  'sigmoid_losses',
]
