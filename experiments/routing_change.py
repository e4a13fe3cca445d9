"""How much each routing iteration of a trained network changes its logits."""

from pathlib import Path

# Test images that the change is the mean over.
_NUM_IMAGES = 128


def mean_changes(workdir: Path) -> list[float]:
  """The mean absolute change of the routing logits in each iteration.

  In Procedure 1 a logit changes by the agreement of the vote with the capsule.
  The mean is over the votes of the first test images.

  Args:
    workdir: the folder of a trained run.
  """
  import jax.numpy as jnp
  import numpy as np

  import capsjax
  from capsjax import configuration
  from capsjax.commands.inside import look_inside
  from capsjax.commands.trained import Trained

  config = configuration.load(workdir / configuration.FILE_NAME)
  trained = Trained.open(config, workdir, checkpoint_name='latest')
  shown = np.arange(min(_NUM_IMAGES, trained.experiment.test_size))
  images = trained.inference.examples(shown).images
  inputs = jnp.asarray(look_inside(trained, images).inputs)
  kernel = jnp.asarray(trained.params['class_capsules']['kernel'])
  votes = capsjax.compute_votes(inputs, kernel)
  changes = []
  for count in range(1, config.model.num_iterations + 1):
    capsules = capsjax.dynamic_routing(votes, num_iterations=count)
    agreement = jnp.einsum('bije,bje->bij', votes, capsules)
    changes.append(float(jnp.mean(jnp.abs(agreement))))
  return changes
