"""What every configuration starts from: the paper's network and training.

A configuration changes a few fields, and so does the command line:

    python -m capsjax.main --config configs/mnist.py --config.batch_size=64
    python -m capsjax.main --help-config

The second command lists all fields with their defaults and meaning.
"""

from ml_collections import ConfigDict

import capsjax


def get_config() -> ConfigDict:
  """The paper's settings for MNIST; the official code's where it has none."""
  return capsjax.default_config()


def begin_as_official(config: ConfigDict) -> None:
  """Sets the official code's capsule bias, initial values and primary scale.

  Its small primary scale makes the first steps of the primary capsules small,
  so it needs no warm-up.

  Args:
    config: is changed; its `model.num_types` and `model.routing.leaky` are set
      before.
  """
  model = config.model
  model.use_capsule_bias = True
  model.initialization = 'official'
  # The leak of the softmax over the types counts as one more type.
  model.primary_scale = 1 / (model.num_types + model.routing.leaky)
  config.optimizer.warmup_steps = 0
