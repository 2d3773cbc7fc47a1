// Filters wheels, files and findings. The page is complete without it.
"use strict";
const $ = (id) => document.getElementById(id);
const files = [...document.querySelectorAll("[data-codes]")];
const rules = [...document.querySelectorAll("[data-code]")];
const rows = [...document.querySelectorAll("[data-for]")];
function apply() {
  const wanted = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = $("state").value;
  const code = $("code").value;
  const isFiltered = wanted.length > 0 || state || code;
  const codes = new Set(code && !wanted.length && !state ? [code] : []);
  let shown = 0;
  for (const file of files) {
    const own = file.dataset.codes.split(" ");
    const text = (file.dataset.name + " " + file.dataset.codes).toLowerCase();
    file.hidden = !(wanted.every((word) => text.includes(word)) &&
      (!state || file.dataset[state]) && (!code || own.includes(code)));
    if (!file.hidden) {
      shown += 1;
      own.forEach((each) => codes.add(each));
    }
  }
  for (const rule of rules) {
    const own = rule.dataset.code;
    rule.hidden = isFiltered && (!codes.has(own) || (code && own !== code));
  }
  for (const row of rows) row.hidden = $(row.dataset.for).hidden;
  for (const part of document.querySelectorAll("table, tbody, #plain, #dangers")) {
    part.hidden = !part.querySelector("[data-for]:not([hidden])");
  }
  if (isFiltered && $("plain")) $("plain").open = true;
  $("shown").textContent = isFiltered ? shown + " of " + files.length + " files shown" : "";
}
if ($("filter")) {
  $("filter").addEventListener("input", apply);
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  // The event comes before the fields are empty.
  $("filter").addEventListener("reset", () => setTimeout(apply));
  $("filter").hidden = false;
  // A browser restores the fields of a page that is loaded again.
  apply();
}
// Opens the part that a link leads to.
function open() {
  const part = location.hash && $(location.hash.slice(1));
  if (part instanceof HTMLDetailsElement) {
    part.hidden = false;
    part.open = true;
    part.querySelector("summary").focus({ preventScroll: true });
    part.scrollIntoView();
  }
}
addEventListener("hashchange", open);
open();
