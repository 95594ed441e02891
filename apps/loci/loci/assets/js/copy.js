// Buttons that put the text of an element on the clipboard. Without a clipboard they stay hidden.
(function () {
  'use strict';
  if (!navigator.clipboard) {
    return;
  }
  document.querySelectorAll('[data-copy]').forEach(function (button) {
    var label = button.textContent;
    button.hidden = false;
    button.setAttribute('aria-live', 'polite');
    button.addEventListener('click', function () {
      navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(function () {
        button.textContent = 'Copied';
        window.setTimeout(function () { button.textContent = label; }, 2000);
      });
    });
  });
})();
