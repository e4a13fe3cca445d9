"""Decodes one picture file to an array."""

import io
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from capsjax.errors import first_line

# What is read, and how Pillow names it. Other formats are refused: some start
# programs, such as Ghostscript.
KINDS = 'PNG, JPEG, WebP, GIF, BMP or TIFF'
SUFFIXES = (
  *('.bmp', '.gif', '.jfif', '.jpeg', '.jpg', '.png', '.tif', '.tiff'),
  '.webp',
)
_FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP')
_GREY_OF_16_BITS = ('I;16', 'I;16B', 'I;16L', 'I;16N')
_GREY_MODES = ('1', 'L', 'LA', *_GREY_OF_16_BITS)
# JPEG files can be decoded at 1/2, 1/4 or 1/8 of their size, which is much
# faster. The decoded picture stays at least this many times too large, so that
# the filter, not the decoder, determines the result.
_MARGIN = 3

# Height and width in pixels; None keeps a picture's size.
Size = tuple[int, int] | None


class PictureError(Exception):
  """Raised if a file cannot be decoded; its text says why in a few words."""


class Decoded(NamedTuple):
  """A decoded picture.

  Attributes:
    pixels: uint8 of shape [h, w, c].
    is_transparent: whether some of the file's pixels may be transparent.
  """

  pixels: UInt8[np.ndarray, 'h w c']
  is_transparent: bool


def decode_picture(
  data: bytes,
  *,
  size: Size,
  channels: int,
  background: tuple[int, ...] = (0,),
) -> Decoded:
  """Decodes a picture as `load_folder` describes.

  Args:
    data: the file's content.
    size: height and width of the image; None keeps the picture's size.
    channels: 1 or 3; 0 for 1 if the file is grey, else 3.
    background: the colour behind transparent pixels, one or three values from
      0 to 255.

  Returns:
    The picture.

  Raises:
    PictureError: the file is damaged, too large, or of another kind.
  """
  from PIL import Image, ImageOps

  image = _load(data, size)
  # 16-bit grey with transparency is read as RGBA. The 26th byte of a PNG file
  # is its colour type; 4 means grey with transparency.
  is_grey = image.mode in _GREY_MODES or (
    image.format == 'PNG' and data[25] == 4
  )
  wants_grey = channels == 1 or (not channels and is_grey)
  is_transparent = bool(image.has_transparency_data)
  image = _opaque(image, background).convert('L' if wants_grey else 'RGB')
  if size:
    height, width = size
    image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
  pixels = np.asarray(image)
  return Decoded(pixels[..., None] if wants_grey else pixels, is_transparent)


def _load(data: bytes, size: Size) -> Any:
  """Reads a file and turns the picture upright."""
  from PIL import Image, ImageOps, UnidentifiedImageError

  if not data:
    raise PictureError('empty')
  try:
    # Of several frames or pages, Pillow opens the first.
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:
      raise Image.DecompressionBombError
    if image.format == 'PNG':
      # Decoding alone takes a file without its end for whole.
      Image.open(io.BytesIO(data), formats=('PNG',)).verify()
    if size:
      # Before a picture is turned, either side may become the longer one.
      side = _MARGIN * max(size)
      image.draft(None, (side, side))
    ImageOps.exif_transpose(image, in_place=True)
  except UnidentifiedImageError as error:
    raise PictureError(f'not {KINDS}, or damaged') from error
  except Image.DecompressionBombError as error:
    raise PictureError(
      f'more than {Image.MAX_IMAGE_PIXELS:,} pixels'
    ) from error
  # Pillow's decoders raise no specific exception for a damaged file.
  except Exception as error:
    raise PictureError(first_line(error)) from error
  if image.mode in ('I', 'F'):
    raise PictureError('32 bits per pixel; save it with 8 or 16')
  return image


def _opaque(image: Any, background: tuple[int, ...]) -> Any:
  """Converts 16-bit grey to 8 bits, and lays transparency on a background."""
  from PIL import Image

  red_green_blue = background * 3 if len(background) == 1 else background
  if image.mode in _GREY_OF_16_BITS:
    # Pillow would clip values above 255 instead of scaling.
    values = np.asarray(image).astype(np.uint32)
    is_clear = values == image.info.get('transparency', -1)
    grey = ((values + 128) // 257).astype(np.uint8)
    grey[is_clear] = round(sum(background) / len(background))
    return Image.fromarray(grey)
  if not image.has_transparency_data:
    return image
  picture = image.convert('RGBA')
  canvas = Image.new('RGB', picture.size, red_green_blue)
  canvas.paste(picture, mask=picture)
  return canvas
