"""How much each routing iteration of a trained network changes its logits."""

from pathlib import Path

# Test images that the change is the mean over.
_NUM_IMAGES = 128


def mean_changes(workdir: Path) -> list[float]:
  """The mean absolute change of the routing logits in each iteration.

  In Procedure 1 a logit changes by the agreement of the vote with the capsule.
  The mean is over the votes of the first test images.

  Args:
    workdir: the folder of a trained run of configs/mnist.py, with as many
      iterations as there may be.
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
