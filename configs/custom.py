"""A CapsNet on your own pictures.

    python -m capsjax.main --config configs/custom.py --config.data_dir=DIR

DIR has one folder for each class with PNG or JPEG files in it, of which a fifth
is drawn for the test, or the folders `train` and `test` with such folders;
`val` is read too. Another `--config.seed` draws another test: to compare seeds,
make `train` and `test`.
Pictures are cut to squares and resized to `--config.images.size=64`; up to 128
is fine. `--config.images.channels=1` makes them grey. Of 64x64 colour pictures
two cores take 30 a second, and 3 GB hold a batch of 128x128; how good it
becomes depends on your pictures.

Memory and time follow the number of primary capsules. Above
`model.max_primary_capsules` the strides of the convolutions are doubled, so
that 64x64 gives 3,200 of them and 128x128 gives 5,408, not 18,432 and 100,352.
For another size or grey pictures set `--config.loss.reconstruction_weight` to
0.392 divided by the number of values of a picture, such as 64 * 64 * 3.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """Augmentation that suits photographs, and a bound on the capsules."""
  config = base.get_config()
  config.dataset = 'folder'
  config.images.size = 64
  config.augmentation.flip = True
  config.augmentation.max_rotation = 10.0
  config.augmentation.scale_range = (0.9, 1.1)
  config.model.max_primary_capsules = 5500
  # Smaller steps of the primary capsules: with a scale of 1, bright pictures
  # can make all of them as long as they can be, where nothing is learned.
  config.model.primary_scale = 1 / config.model.num_types
  # The paper's weight is for 784 values; with as much more of them as there are
  # here, reconstruction would drown the margin loss.
  config.loss.reconstruction_weight = 0.0005 * 784 / (64 * 64 * 3)
  config.batch_size = 32
  config.num_epochs = 30
  return config
