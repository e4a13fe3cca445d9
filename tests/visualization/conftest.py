"""A real browser for testing the pages."""

import os
import shutil

import pytest

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')


@pytest.fixture(scope='session')
def browser():
  binary = next(filter(None, map(shutil.which, BROWSERS)), None)
  driver = shutil.which('chromedriver')
  if binary is None or driver is None:
    missing = (
      'no Chromium with its driver; on Debian: apt install chromium '
      'chromium-driver'
    )
    # Continuous integration must not pass by skipping.
    if os.environ.get('CI'):
      pytest.fail(missing)
    pytest.skip(missing)
  from selenium import webdriver

  options = webdriver.ChromeOptions()
  options.binary_location = binary
  for flag in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage'):
    options.add_argument(flag)
  options.add_argument('--window-size=1200,1000')
  options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
  service = webdriver.ChromeService(executable_path=driver)
  with webdriver.Chrome(options=options, service=service) as started:
    started.set_script_timeout(60)
    yield started
