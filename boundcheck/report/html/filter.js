"use strict";
(function () {
  const form = document.getElementById("filter");
  const words = document.getElementById("filter-words");
  const verdict = document.getElementById("filter-verdict");
  const shown = document.getElementById("filter-shown");
  const rows = Array.from(document.querySelectorAll("#claims-table tr[data-group]"));
  const papers = Array.from(document.querySelectorAll("#claims-table tbody"));
  const texts = rows.map(function (row) { return row.textContent.toLowerCase(); });

  function apply() {
    const wanted = words.value.trim().toLowerCase();
    let count = 0;
    rows.forEach(function (row, place) {
      const fits = texts[place].includes(wanted);
      const kind = verdict.value === "" || row.dataset.group === verdict.value;
      row.hidden = !(fits ? kind : false);
      if (!row.hidden) { count += 1; }
    });
    papers.forEach(function (paper) {
      paper.hidden = paper.querySelector("tr[data-group]:not([hidden])") === null;
    });
    shown.textContent = count + " of " + rows.length + " claims shown";
  }

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  apply();
})();
