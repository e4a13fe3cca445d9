"""Decodes one PNG or JPEG file to an array."""

import io
from typing import Any

import numpy as np
from jaxtyping import UInt8

from capsjax.errors import first_line

_GREY_MODES = ('1', 'L', 'LA', 'I;16')
# JPEG files can be decoded at 1/2, 1/4 or 1/8 of their size, which is much
# faster. The decoded picture stays at least this many times too large, so that
# the filter, not the decoder, determines the result.
_MARGIN = 3


class PictureError(Exception):
  """Raised if a file cannot be decoded; its text says why in a few words."""


def decode_picture(
  data: bytes, *, image_size: int, channels: int
) -> UInt8[np.ndarray, 'h w c']:
  """Decodes a picture as `load_folder` describes.

  Args:
    data: the file's content.
    image_size: side of the square image in pixels; 0 keeps the picture's size.
    channels: 1 or 3; 0 for 1 if the file is grey, else 3.

  Returns:
    uint8 of shape [h, w, c].

  Raises:
    PictureError: the file is damaged, too large, or neither PNG nor JPEG.
  """
  from PIL import Image, ImageOps

  image = _load(data, image_size)
  # 16-bit grey with transparency is read as RGBA. The 26th byte of a PNG file
  # is its colour type; 4 means grey with transparency.
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
    # Other formats are refused: some start programs, such as Ghostscript.
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
  # Pillow's decoders raise no specific exception for a damaged file.
  except Exception as error:
    raise PictureError(first_line(error)) from error
  return image


def _opaque(image: Any) -> Any:
  """Converts 16-bit grey to 8 bits, and blends transparency with black."""
  from PIL import Image

  if image.mode == 'I;16':
    # Pillow would clip values above 255 instead of scaling.
    values = np.asarray(image).astype(np.uint32)
    values[values == image.info.get('transparency', -1)] = 0
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
  if not image.has_transparency_data:
    return image
  picture = image.convert('RGBA')
  canvas = Image.new('RGB', picture.size)
  canvas.paste(picture, mask=picture)
  return canvas
