"""The order of the pages."""

_PAGES = {
  '': ['tutorial', 'network', 'glossary'],
  'How to': [
    'how-to/own-pictures',
    'how-to/routing-function',
    'how-to/devices',
    'how-to/tpu',
    'how-to/colab',
    'how-to/resume',
    'how-to/export',
    'how-to/transfer',
    'how-to/other-libraries',
  ],
  'Results': ['experiments', 'benchmarks', 'other-implementations'],
  'Reference': [
    'reference/command-line',
    'reference/configuration',
    'reference/capsjax',
    'reference/ops',
    'reference/layers',
    'reference/models',
    'reference/nnx',
    'reference/data',
    'reference/examples',
    'reference/training',
    'reference/visualization',
    'reference/runs',
  ],
}


def tree() -> str:
  """Returns the directives that put the pages into the sidebar."""
  parts = []
  for caption, pages in _PAGES.items():
    head = f':caption: {caption}\n' if caption else ''
    listed = '\n'.join(pages)
    parts.append(f'\n```{{toctree}}\n:hidden:\n{head}\n{listed}\n```\n')
  return ''.join(parts)
