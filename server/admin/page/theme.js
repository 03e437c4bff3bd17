// The theme that was chosen is set before anything is drawn, so that nothing flashes. This file is
// no module for that reason: modules wait for the document.
(() => {
  let theme = "system";
  try {
    theme = localStorage.getItem("larder-theme") || "system";
  } catch {
    // A browser may keep nothing; then the system's theme it is.
  }
  document.documentElement.dataset.theme = theme;
})();
