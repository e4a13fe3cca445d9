"""CapsNet on Fashion-MNIST, with and without shifts and flips.

python -m experiments.fashion_mnist --size=cpu
"""

from experiments.comparison import Comparison
from experiments.runs import Run
from experiments.suite import main

_PUBLISHED = '6.45 (plain CapsNet), 5.27 (DeepCaps)'

COMPARISON = Comparison(
  name='fashion_mnist',
  title='Fashion-MNIST',
  runs=(
    Run(
      'as_they_are',
      'fashion_mnist',
      ('--config.augmentation.max_shift=0',),
      group='fashion_mnist',
      published=_PUBLISHED,
    ),
    Run('shifts', 'fashion_mnist', group='fashion_mnist', published=_PUBLISHED),
    Run(
      'flips_and_shifts',
      'fashion_mnist',
      ('--config.augmentation.flip=True',),
      group='fashion_mnist',
      published=_PUBLISHED,
    ),
  ),
  sizes={
    'cpu': ('--config.num_epochs=1',),
    'full': ('--config.num_epochs=200',),
  },
  num_seeds={'smoke': 1, 'cpu': 1, 'full': 3},
)

if __name__ == '__main__':
  main(COMPARISON)
