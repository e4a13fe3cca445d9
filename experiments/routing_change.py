"""Measures how much each routing iteration changes a network's logits."""

from pathlib import Path

# The number of test images that the mean is taken over.
_NUM_IMAGES = 128


def mean_changes(workdir: Path) -> list[float]:
  """Computes the mean absolute change of the routing logits per iteration.

  In Procedure 1, each iteration adds the agreement of vote and capsule to a
  logit. The mean is over the votes of the first test images.

  Args:
    workdir: the folder of a trained run of configs/mnist.py, with any number of
      iterations.
  """
  import jax.numpy as jnp
  import numpy as np

  import capsjax
  from capsjax.runs import TrainedRun, look_inside

  trained = TrainedRun.open(workdir)
  shown = np.arange(min(_NUM_IMAGES, trained.experiment.test_size))
  images = trained.inference.examples(shown).images
  inputs = jnp.asarray(look_inside(trained, images).inputs)
  kernel = jnp.asarray(trained.params['class_capsules']['kernel'])
  votes = capsjax.compute_votes(inputs, kernel)
  routing_logits = jnp.zeros(votes.shape[:-1])
  changes = []
  for _ in range(trained.experiment.config.model.routing.num_iterations):
    _, _, agreement = capsjax.routing_iteration(votes, routing_logits)
    routing_logits += agreement
    changes.append(float(jnp.mean(jnp.abs(agreement))))
  return changes
