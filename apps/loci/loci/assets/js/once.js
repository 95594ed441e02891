// A second click on a link that starts something would start it twice.
(function () {
  'use strict';
  document.querySelectorAll('[data-once]').forEach(function (link) {
    link.addEventListener('click', function (event) {
      if (link.getAttribute('aria-disabled') === 'true') {
        event.preventDefault();
      }
      link.setAttribute('aria-disabled', 'true');
    });
  });
  // A page that the browser's back button brings back starts afresh.
  window.addEventListener('pageshow', function () {
    document.querySelectorAll('[data-once]').forEach(function (link) { link.removeAttribute('aria-disabled'); });
  });
})();
