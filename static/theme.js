// The colours that were chosen, before anything is drawn. Without storage, or JavaScript, they are the system's.
"use strict";

try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked.
}
