"""A CapsNet on your own pictures.

    python -m capsjax.main --config configs/custom.py --config.data_dir=DIR

DIR has one folder of pictures per class: PNG, JPEG, WebP, GIF, BMP or TIFF. A
fifth of the files are drawn at random as the test set. Or DIR has folders
`train` and `test` with such class folders in each; `val` is read too. The drawn
test set depends on `--config.seed`: to compare seeds, make `train` and `test`.

Pictures are cropped to squares and resized to `--config.images.size=64`, or to
a height and a width with `--config.images.size='(48, 64)'`; sizes up to 128 are
fine. `--config.images.channels=1` makes them grey, and
`--config.images.background=255` lays transparent ones on white. If some classes
have few pictures, add `--config.loss.class_weights=balanced`. Two cores process
30 colour pictures of 64x64 per second, and a batch of 128x128 pictures fits in
3 GB. The accuracy depends on your pictures.

Memory and time grow with the number of primary capsules. Above
`model.max_primary_capsules` the strides of the convolutions are doubled, so
that 64x64 gives 3,200 capsules instead of 18,432, and 128x128 gives 5,408
instead of 100,352. For another size or for grey pictures, set
`--config.loss.reconstruction_weight` to 0.392 divided by the number of values
in a picture, such as 64 * 64 * 3.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
  """Augmentation that suits photographs, and a limit on the capsules."""
  config = base.get_config()
  config.dataset = 'folder'
  config.images.size = 64
  config.augmentation.flip = True
  config.augmentation.max_rotation = 10.0
  config.augmentation.scale_range = (0.9, 1.1)
  config.model.max_primary_capsules = 5500
  # Smaller steps of the primary capsules: with a scale of 1, bright pictures
  # can saturate all of them, and then nothing is learned.
  config.model.primary_scale = 1 / config.model.num_types
  # The paper's weight is for 784 values. With the many more values here, it
  # would let reconstruction drown out the margin loss.
  config.loss.reconstruction_weight = 0.0005 * 784 / (64 * 64 * 3)
  config.batch_size = 32
  config.num_epochs = 30
  return config
