"""Makes an array of the bytes of one PNG or JPEG file."""

import io
from typing import Any

import numpy as np
from jaxtyping import UInt8

from capsjax.errors import first_line

_GREY_MODES = ('1', 'L', 'LA', 'I;16')
# A JPEG file that is larger by a factor of 2, 4 or 8 can be decoded at a part
# of its size, which is much faster. What is left is still this many times too
# large: the filter, not the decoder, decides what the image looks like.
_MARGIN = 3


class PictureError(Exception):
  """A file cannot be decoded; its text is a few words that say why."""


def decode_picture(
  data: bytes, *, image_size: int, channels: int
) -> UInt8[np.ndarray, 'h w c']:
  """Decodes a picture, as `load_folder` describes it.

  Args:
    data: the file's content.
    image_size: the side of the square to make; 0 leaves the size.
    channels: 1 or 3; 0 for 1 if the file is grey, else 3.

  Returns:
    uint8 of shape [h, w, c].

  Raises:
    PictureError: the file is damaged, of another kind or too large.
  """
  from PIL import Image, ImageOps

  image = _load(data, image_size)
  # 16-bit grey with transparency is read as RGBA; the 26th byte of a PNG file
  # tells its kind, 4 is grey with transparency.
  is_grey = image.mode in _GREY_MODES or (
    image.format == 'PNG' and data[25] == 4
  )
  wants_grey = channels == 1 or (not channels and is_grey)
  image = _opaque(image).convert('L' if wants_grey else 'RGB')
  if image_size:
    image = ImageOps.fit(
      image, (image_size, image_size), Image.Resampling.LANCZOS
    )
  pixels = np.asarray(image)
  return pixels[..., None] if wants_grey else pixels


def _load(data: bytes, image_size: int) -> Any:
  """Reads a file and turns the picture upright."""
  from PIL import Image, ImageOps, UnidentifiedImageError

  if not data:
    raise PictureError('empty')
  try:
    # Other kinds are kept out: some start programs, such as Ghostscript.
    image = Image.open(io.BytesIO(data), formats=('JPEG', 'PNG'))
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:
      raise Image.DecompressionBombError
    if image_size:
      image.draft(None, (_MARGIN * image_size, _MARGIN * image_size))
    ImageOps.exif_transpose(image, in_place=True)
  except UnidentifiedImageError as error:
    raise PictureError('neither PNG nor JPEG, or damaged') from error
  except Image.DecompressionBombError as error:
    raise PictureError(
      f'more than {Image.MAX_IMAGE_PIXELS:,} pixels'
    ) from error
  # Pillow's decoders have no exception of their own for a damaged file.
  except Exception as error:
    raise PictureError(first_line(error)) from error
  return image


def _opaque(image: Any) -> Any:
  """Makes 16 bits of grey 8, and lays what is transparent on black."""
  from PIL import Image

  if image.mode == 'I;16':
    # By hand, as Pillow would cut off what is above 255.
    values = np.asarray(image).astype(np.uint32)
    values[values == image.info.get('transparency', -1)] = 0
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
  if not image.has_transparency_data:
    return image
  picture = image.convert('RGBA')
  canvas = Image.new('RGB', picture.size)
  canvas.paste(picture, mask=picture)
  return canvas
