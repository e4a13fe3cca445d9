// What scrolls sideways can be reached and scrolled by keyboard.
'use strict';

const observer = new ResizeObserver((entries) => {
  for (const {target} of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute('tabindex');
  }
});
for (const part of document.querySelectorAll('.scroll')) observer.observe(part);
