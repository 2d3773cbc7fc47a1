// Only shortens what is shown: the page says everything without this.
"use strict";
const box = document.getElementById("filter");
const words = document.getElementById("words");
const bad = document.getElementById("bad");
const parts = document.querySelectorAll("[data-name]");
const shown = document.getElementById("shown");
function apply() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let rows = 0;
  for (const part of parts) {
    const name = part.dataset.name.toLowerCase();
    const fits = wanted.every((word) => name.includes(word)) && (!bad.checked || part.dataset.bad);
    part.hidden = !fits;
    if (fits && part.tagName === "DETAILS") rows += 1;
  }
  for (const body of document.querySelectorAll(".matrix tbody")) {
    body.hidden = !body.querySelector("tr[data-name]:not([hidden])");
  }
  shown.textContent = rows + " shown";
}
words.addEventListener("input", apply);
bad.addEventListener("change", apply);
box.hidden = false;
// A part that is linked to is opened.
function open() {
  const part = location.hash && document.getElementById(location.hash.slice(1));
  if (part instanceof HTMLDetailsElement) {
    part.hidden = false;
    part.open = true;
    part.querySelector("summary").focus({ preventScroll: true });
    part.scrollIntoView();
  }
}
addEventListener("hashchange", open);
open();
