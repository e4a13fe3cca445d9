"""What a browser shows of a page, and what is wrong with it."""

import re

from axe_core_python.selenium import Axe

WIDTHS, SCHEMES = (390, 1280), ('light', 'dark')
# WCAG 2.1 AA, and advice beyond it.
RULES = ('wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice')


def emulate(browser, width, scheme, height=844):
  """Shows pages as on a screen of some size, light or dark."""
  # Browser windows have a minimum width; emulated devices do not.
  browser.execute_cdp_cmd(
    'Emulation.setDeviceMetricsOverride',
    {
      'width': width,
      'height': height,
      'deviceScaleFactor': 1,
      'mobile': width < 700,
    },
  )
  browser.execute_cdp_cmd(
    'Emulation.setEmulatedMedia',
    {'features': [{'name': 'prefers-color-scheme', 'value': scheme}]},
  )


def end_emulation(browser):
  browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
  browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})


def violations(browser):
  """Returns what axe-core finds wrong with the open page."""
  results = Axe().run(browser, options={'runOnly': list(RULES)})
  assert len(results['passes']) > 10  # It has looked.
  return [
    f'{found["id"]}: {node["html"]} {node["failureSummary"]}'
    for found in results['violations']
    for node in found['nodes']
  ]


def too_wide(browser):
  """Returns by how many pixels the page is wider than the screen."""
  return browser.execute_script(
    'return document.documentElement.scrollWidth - window.innerWidth'
  )


def contrast(one, other):
  """Returns the contrast of two CSS colours, as WCAG defines it."""
  lighter, darker = sorted(map(_luminance, (one, other)), reverse=True)
  return (lighter + 0.05) / (darker + 0.05)


def _luminance(color):
  assert color.startswith('rgb('), color
  shares = [int(part) / 255 for part in re.findall(r'\d+', color)]
  red, green, blue = (
    share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
    for share in shares
  )
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
