"""Capsules with variational Bayes routing on smallNORB: 68,714 parameters.

    python -m capsjax.main --config configs/vb_capsules.py

The network, loss and optimiser of "Capsule Routing via Variational Bayes", on
the data of configs/matrix_capsules.py. The authors report an error of 1.3%. It
was not trained here, because the data were not available.
"""

from ml_collections import ConfigDict

from configs import base, matrix_capsules


def get_config() -> ConfigDict:
  """The network of the authors' code."""
  config = base.get_config()
  config.dataset = 'smallnorb'
  matrix_capsules.prepare_as_official(config)
  config.model_name = 'vb_capsules'
  config.model = ConfigDict(
    matrix_capsules.sizes()
    | {
      'conv_features': 64,
      'num_types': 8,
      'capsule_types': (16, 16),
      'coordinate_scale': 0.1,
      'routing': {
        'name': 'variational',
        'num_iterations': 3,
        'concentration': 1.0,
        'mean_precision': 1.0,
        'full_covariance': False,
      },
    }
  )
  config.loss = ConfigDict()
  config.num_epochs = 300
  config.optimizer.schedule = 'constant'
  config.optimizer.warmup_steps = 0
  return config
