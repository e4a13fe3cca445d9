"""Affine transformations never seen in training (section 5.2).

python -m experiments.affnist --size=cpu

Both networks train on digits that are only shifted, and are tested on rotated,
sheared and scaled ones: on affNIST, if its file is in the data folder, and on
MNIST's test digits transformed in the same ranges (affine_mnist, which is not
affNIST).
"""

from experiments.comparison import Comparison
from experiments.runs import SMALL_STEPS, TINY_BASELINE, Run
from experiments.suite import main

_TESTS = ('affine_mnist', 'affnist')

COMPARISON = Comparison(
  name='affnist',
  title='affNIST: trained on MNIST at any place of 40x40 (the first numbers), '
  'tested on affine transformations of it',
  runs=(
    Run(
      'capsnet',
      'affnist',
      group='affnist',
      other_tests=_TESTS,
      paper='0.77; on affNIST 21',
      published='on affNIST 6.8 (AffCapsNet)',
    ),
    # In the official code, primary capsules start short and grow only where
    # something is present; see Initial values in README.md.
    Run(
      'capsnet_official',
      'affnist',
      (
        '--config.model.initialization=official',
        SMALL_STEPS,
        '--config.model.use_capsule_bias=True',
        '--config.optimizer.warmup_steps=0',
      ),
      group='affnist',
      other_tests=_TESTS,
    ),
    Run(
      'cnn',
      'affnist_cnn',
      group='affnist',
      smoke=TINY_BASELINE,
      other_tests=_TESTS,
      paper='0.78; on affNIST 34',
    ),
  ),
  sizes={
    'cpu': (
      '--config.num_epochs=1',
      '--config.eval_every_epochs=1.0',
      '--config.stop_at_accuracy=0.0',
    ),
  },
  num_seeds={'smoke': 1, 'cpu': 1, 'full': 3},
)

if __name__ == '__main__':
  main(COMPARISON)
