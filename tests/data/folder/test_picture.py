"""Tests kinds of PNG files, written by hand, and of JPEG, by Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from capsjax.data.folder.picture import PictureError, decode_picture

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def png(kind, depth, rows, *chunks):
  """Makes a PNG file (ISO 15948) from rows of bytes, without filters."""

  def chunk(name, data):
    check = zlib.crc32(name + data)
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', check)

  height, samples = len(rows), {GREY: 1, COLOUR: 3, PALETTE: 1}.get(kind, 0)
  samples = samples or {GREY_ALPHA: 2, COLOUR_ALPHA: 4}[kind]
  width = len(rows[0]) * 8 // (depth * samples)
  return b''.join(
    [
      b'\x89PNG\r\n\x1a\n',
      chunk(
        b'IHDR', struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, 0)
      ),
      *(chunk(name, data) for name, data in chunks),
      chunk(b'IDAT', zlib.compress(b''.join(b'\0' + bytes(r) for r in rows))),
      chunk(b'IEND', b''),
    ]
  )


def saved(array, kind='PNG', **options):
  file = io.BytesIO()
  Image.fromarray(array).save(file, kind, **options)
  return file.getvalue()


def decode(data, size=None, channels=0, background=(0,)):
  decoded = decode_picture(
    data, size=size, channels=channels, background=background
  )
  return decoded.pixels


def assert_decodes(data, values, **options):
  pixels = decode(data, **options)
  assert pixels.dtype == np.uint8
  np.testing.assert_array_equal(pixels, np.array(values).reshape(pixels.shape))
  return pixels.shape


def test_grey_of_8_bits():
  assert_decodes(
    png(GREY, 8, [[0, 1], [254, 255], [7, 8]]), [0, 1, 254, 255, 7, 8]
  )
  assert decode(png(GREY, 8, [[0, 1], [2, 3], [4, 5]])).shape == (3, 2, 1)


def test_colour_of_8_bits():
  rows = PIXELS.reshape(5, 21)
  assert assert_decodes(png(COLOUR, 8, rows), PIXELS) == (5, 7, 3)
  assert_decodes(png(COLOUR, 8, rows), PIXELS, channels=3)


def test_black_and_white():
  data = png(GREY, 1, [[0b10100000], [0b00000001]])
  rows = [[255, 0, 255, 0, 0, 0, 0, 0], [0] * 7 + [255]]
  assert assert_decodes(data, rows) == (2, 8, 1)


def test_grey_of_16_bits_is_scaled():
  values = np.array([0, 128, 129, 257, 385, 386, 32768, 65406, 65407, 65535])
  data = png(GREY, 16, [values.astype('>u2').tobytes()])
  assert_decodes(data, [0, 0, 1, 1, 1, 2, 128, 254, 255, 255])
  np.testing.assert_array_equal(decode(data)[0, :, 0], np.rint(values / 257))
  assert decode(data, channels=3).shape == (1, 10, 3)


def test_colour_of_16_bits():
  data = png(COLOUR, 16, [bytes([200, 200, 100, 100, 0, 0])])
  assert_decodes(data, [200, 100, 0])


def test_a_palette_is_looked_up():
  palette = (b'PLTE', bytes([1, 2, 3, 40, 50, 60, 255, 0, 0]))
  data = png(PALETTE, 8, [[2, 0, 1]], palette)
  assert_decodes(data, [255, 0, 0, 1, 2, 3, 40, 50, 60])


def test_transparency_is_laid_on_black():
  grey = png(GREY_ALPHA, 8, [[200, 255, 200, 0, 100, 51]])
  assert assert_decodes(grey, [200, 0, 20]) == (1, 3, 1)
  colour = png(COLOUR_ALPHA, 8, [[250, 5, 100, 51, 9, 8, 7, 0, 9, 8, 7, 255]])
  assert_decodes(colour, [50, 1, 20, 0, 0, 0, 9, 8, 7])
  palette = png(
    PALETTE,
    8,
    [[0, 1, 2]],
    (b'PLTE', bytes([10, 20, 30, 100, 200, 50, 7, 8, 9])),
    (b'tRNS', bytes([0, 51])),
  )
  assert_decodes(palette, [0, 0, 0, 20, 40, 10, 7, 8, 9])


def test_one_transparent_value_is_black():
  transparent = (b'tRNS', struct.pack('>H', 200))
  data = png(GREY, 8, [[199, 200, 201]], transparent)
  assert assert_decodes(data, [199, 0, 201]) == (1, 3, 1)
  transparent = (b'tRNS', struct.pack('>HHH', 1, 2, 3))
  data = png(COLOUR, 8, [[1, 2, 3, 1, 2, 4]], transparent)
  assert_decodes(data, [0, 0, 0, 1, 2, 4])
  transparent = (b'tRNS', struct.pack('>H', 25700))
  data = png(GREY, 16, [struct.pack('>HH', 25700, 25701)], transparent)
  assert_decodes(data, [0, 100])


def test_16_bits_with_transparency():
  data = png(GREY_ALPHA, 16, [bytes([200, 200, 255, 255, 200, 200, 0, 0])])
  assert assert_decodes(data, [200, 0]) == (1, 2, 1)
  data = png(COLOUR_ALPHA, 16, [bytes([9, 9, 8, 8, 7, 7, 255, 255])])
  assert_decodes(data, [9, 8, 7])


def test_colour_can_be_made_grey_and_grey_coloured():
  luma = PIXELS @ np.array([0.299, 0.587, 0.114])
  grey = decode(png(COLOUR, 8, PIXELS.reshape(5, 21)), channels=1)
  assert grey.shape == (5, 7, 1)
  assert np.abs(grey[..., 0] - luma).max() <= 0.51
  data = png(GREY, 8, PIXELS[..., 0])
  coloured = np.repeat(PIXELS[..., :1], 3, axis=2)
  assert_decodes(data, coloured, channels=3)


def smooth(height, width):
  """Returns a smooth colour picture that JPEG hardly changes."""
  y, x = np.mgrid[:height, :width]
  channels = [y * 255 / height, x * 255 / width, 255 - y * 200 / height]
  return np.stack(channels, -1).astype(np.uint8)


def test_jpeg():
  picture = smooth(40, 24)
  pixels = decode(saved(picture, 'JPEG', quality=95))
  assert pixels.shape == (40, 24, 3)
  assert np.abs(pixels.astype(int) - picture).max() < 12
  pixels = decode(saved(picture[..., 1], 'JPEG', quality=95))
  assert pixels.shape == (40, 24, 1)
  assert np.abs(pixels[..., 0].astype(int) - picture[..., 1]).max() < 6


@pytest.mark.parametrize('channels', [0, 1, 3])
def test_jpeg_for_print(channels):
  file = io.BytesIO()
  Image.new('CMYK', (8, 8), (0, 255, 255, 0)).save(file, 'JPEG', quality=95)
  pixels = decode(file.getvalue(), channels=channels)
  red = [76] if channels == 1 else [255, 0, 0]
  assert pixels.shape == (8, 8, len(red))
  assert np.abs(pixels.astype(int) - red).max() < 8


# EXIF 2.32, 4.6.4: how to turn the stored rows upright.
UPRIGHT = {
  1: lambda a: a,
  2: lambda a: a[:, ::-1],
  3: lambda a: a[::-1, ::-1],
  4: lambda a: a[::-1],
  5: lambda a: a.swapaxes(0, 1),
  6: lambda a: a[::-1].swapaxes(0, 1),
  7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
  8: lambda a: a.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize('orientation', UPRIGHT)
def test_pictures_are_turned_upright(orientation):
  entry = struct.pack('>HHHIHH', 1, 0x112, 3, 1, orientation, 0)
  exif = b'MM\0*\0\0\0\x08' + entry + bytes(4)
  data = png(COLOUR, 8, PIXELS.reshape(5, 21), (b'eXIf', exif))
  assert_decodes(data, UPRIGHT[orientation](PIXELS))
  picture = smooth(40, 24)
  data = saved(picture, 'JPEG', quality=95, exif=b'Exif\0\0' + exif)
  pixels = decode(data).astype(int)
  assert np.abs(pixels - UPRIGHT[orientation](picture)).max() < 12


def test_bad_exif_does_not_matter():
  # The entry is truncated, of which Pillow warns.
  exif = b'Exif\0\0MM\0*\0\0\0\x08' + struct.pack('>HHH', 3, 0x112, 3)
  data = saved(smooth(8, 8), 'JPEG', exif=exif)
  with pytest.warns(UserWarning, match='Corrupt EXIF'):
    assert decode(data).shape == (8, 8, 3)


@pytest.mark.parametrize(('size', 'width'), [(5, 11), (20, 44), (30, 66)])
def test_the_shorter_side_is_scaled_and_the_centre_cut_out(size, width):
  # Mid-grey, so that the filter does not leave 0 to 255 between its passes.
  picture = np.random.default_rng(1).integers(80, 176, (20, 44, 3), np.uint8)
  whole = Image.fromarray(picture).resize(
    (width, size), Image.Resampling.LANCZOS
  )
  start = (width - size) // 2
  centre = np.asarray(whole)[:, start : start + size].astype(int)
  for array, wanted in (
    (picture, centre),
    (picture.swapaxes(0, 1), centre.swapaxes(0, 1)),
  ):
    pixels = decode(saved(array), size=(size, size))
    assert pixels.shape == (size, size, 3)
    assert np.abs(pixels - wanted).max() <= 2


def test_a_picture_of_that_size_stays_as_it_is():
  picture = PIXELS[:, :5]
  assert_decodes(saved(picture), picture, size=(5, 5))


def test_scaling_down_averages():
  board = np.indices((64, 64)).sum(0) % 2 * 255
  pixels = decode(saved(board.astype(np.uint8)), size=(8, 8))
  assert pixels.shape == (8, 8, 1)
  assert np.abs(pixels.astype(int) - 127.5).max() < 3


@pytest.mark.parametrize('factor', [2, 5, 16, 40])
@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_scaling_keeps_the_picture(factor, kind):
  picture = smooth(16 * factor, 16 * factor)
  options = {'quality': 95} if kind == 'JPEG' else {}
  pixels = decode(saved(picture, kind, **options), size=(16, 16))
  means = picture.reshape(16, factor, 16, factor, 3).mean((1, 3))
  # At an edge the filter sees one side only.
  assert np.abs(pixels - means)[1:-1, 1:-1].max() < 3
  assert np.abs(pixels - means).max() < 8


def test_large_and_flat_pictures():
  assert decode(saved(smooth(300, 200))).shape == (300, 200, 3)
  assert decode(saved(smooth(1, 500)), size=(8, 8)).shape == (8, 8, 3)


KINDS = ['BMP', 'GIF', 'JPEG', 'PNG', 'TIFF', 'WEBP']


@pytest.mark.filterwarnings('ignore:.*:UserWarning:PIL')
@pytest.mark.parametrize('kind', KINDS)
def test_every_truncation_is_told_or_harmless(kind):
  whole = saved(PIXELS, kind)
  pixels = decode(whole)
  told = 0
  for size in range(len(whole)):
    try:
      np.testing.assert_array_equal(decode(whole[:size]), pixels)
    except PictureError as error:
      told += 1
      assert str(error) and '\n' not in str(error)
  assert told > 0.8 * len(whole)


@pytest.mark.parametrize('cut', [5, 10, 12, 20])
def test_a_png_without_its_end_is_told(cut):
  # The last 12 bytes mark the end; 4 before them check the pixels.
  with pytest.raises(PictureError, match='(?i)truncated|broken'):
    decode(saved(PIXELS)[:-cut])


def test_a_png_with_damaged_pixels_is_told():
  data = bytearray(saved(np.zeros((40, 40), np.uint8), compress_level=0))
  data[len(data) // 2] ^= 1
  with pytest.raises(PictureError):
    decode(bytes(data))


@pytest.mark.parametrize(
  ('kind', 'options'),
  [
    ('BMP', {}),
    ('TIFF', {}),
    ('TIFF', {'compression': 'tiff_lzw'}),
    ('WEBP', {'lossless': True}),
  ],
)
def test_other_kinds_without_loss(kind, options):
  assert_decodes(saved(PIXELS, kind, **options), PIXELS)
  grey = decode(saved(PIXELS[..., 0], kind, **options), channels=1)
  np.testing.assert_array_equal(grey[..., 0], PIXELS[..., 0])


def test_a_gif_has_few_colours():
  picture = PIXELS // 200 * 100
  assert_decodes(saved(picture, 'GIF'), picture)


@pytest.mark.parametrize('kind', ['GIF', 'TIFF', 'WEBP', 'PNG'])
def test_of_several_frames_the_first_is_read(kind):
  frames = [Image.new('RGB', (4, 3), c) for c in ('red', 'lime', 'blue')]
  file = io.BytesIO()
  options = {} if kind in ('GIF', 'TIFF', 'PNG') else {'lossless': True}
  frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
  assert_decodes(file.getvalue(), [[255, 0, 0]] * 12)


@pytest.mark.parametrize('kind', ['<u2', '>u2'])
def test_grey_tiff_of_16_bits_is_scaled(kind):
  values = np.array([[0, 257, 32768, 65535]], kind)
  assert_decodes(saved(values, 'TIFF'), [0, 1, 128, 255])


def test_32_bits_are_told():
  with pytest.raises(PictureError, match='32 bits per pixel; save it with 8'):
    decode(saved(np.ones((3, 4), np.float32), 'TIFF'))


def test_other_kinds_are_told():
  with pytest.raises(PictureError, match='not PNG, JPEG, WebP, GIF, BMP or T'):
    decode(saved(PIXELS, 'EPS'))


# Half transparent, fully transparent, opaque; what is beneath is 100.
@pytest.mark.parametrize(
  ('background', 'expected'),
  [((0,), [50, 0, 100]), ((255,), [178, 255, 100])],
)
@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'WEBP'])
@pytest.mark.parametrize('mode', ['RGBA', 'LA'])
def test_transparency_is_laid_on_the_background(
  background, expected, kind, mode
):
  pixels = np.full((1, 3, 4), 100, np.uint8)
  pixels[0, :, 3] = [128, 0, 255]
  file = io.BytesIO()
  options = {'lossless': True, 'exact': True} if kind == 'WEBP' else {}
  Image.fromarray(pixels).convert(mode).save(file, kind, **options)
  decoded = decode_picture(
    file.getvalue(), size=None, channels=1, background=background
  )
  assert decoded.is_transparent
  found = decoded.pixels[0, :, 0].astype(int)
  assert np.abs(found - expected).max() <= 1


def test_transparency_is_laid_on_a_colour():
  data = png(COLOUR_ALPHA, 8, [[9, 8, 7, 0, 9, 8, 7, 255]])
  assert_decodes(data, [10, 200, 30, 9, 8, 7], background=(10, 200, 30))
  transparent = (b'tRNS', struct.pack('>H', 25700))
  data = png(GREY, 16, [struct.pack('>HH', 25700, 25701)], transparent)
  assert_decodes(data, [255, 100], background=(255,))


def test_what_is_opaque_needs_no_background():
  decoded = decode_picture(
    saved(PIXELS), size=None, channels=0, background=(99,)
  )
  assert not decoded.is_transparent
  np.testing.assert_array_equal(decoded.pixels, PIXELS)


@pytest.mark.parametrize('orientation', [1, 6])
def test_a_size_has_height_and_width(orientation):
  # A large photograph, so that the decoder reduces it.
  entry = struct.pack('>HHHIHH', 1, 0x112, 3, 1, orientation, 0)
  exif = b'Exif\0\0MM\0*\0\0\0\x08' + entry + bytes(4)
  picture = smooth(600, 900)
  upright = UPRIGHT[orientation](picture)
  pixels = decode(saved(picture, 'JPEG', quality=95, exif=exif), size=(20, 60))
  assert pixels.shape == (20, 60, 3)
  height, width = upright.shape[0], upright.shape[1]
  # The centre with three times its height is kept.
  start = (height - width // 3) // 2
  centre = upright[start : start + width // 3]
  means = centre.reshape(20, width // 60, 60, width // 60, 3).mean((1, 3))
  assert np.abs(pixels - means)[1:-1, 1:-1].max() < 4
