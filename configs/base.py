"""The base of every configuration: the paper's network and training.

Configurations and the command line change a few of its fields:

    python -m capsjax.main --config configs/mnist.py --config.batch_size=64
    capsjax config

The second command lists every field with its default and meaning.
"""

from ml_collections import ConfigDict

import capsjax


def get_config() -> ConfigDict:
  """The paper's MNIST settings; the official code's where it gives none."""
  return capsjax.default_config()


def begin_as_official(config: ConfigDict) -> None:
  """Sets the official code's capsule bias, initial values and primary scale.

  Its small primary scale makes the first steps of the primary capsules small,
  so it needs no warm-up.

  Args:
    config: changed in place; its `model.num_types` and `model.routing.leaky`
      must be set before the call.
  """
  model = config.model
  model.use_capsule_bias = True
  model.initialization = 'official'
  # The leak of the softmax over the types counts as one more type.
  model.primary_scale = 1 / (model.num_types + model.routing.leaky)
  config.optimizer.warmup_steps = 0
