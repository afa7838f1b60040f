"use strict";
// Sorts and filters the results table; without it the page is a plain table.
(() => {
  const table = document.getElementById("table"), body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells], names = heads.map((head) => head.textContent.trim());
  const search = document.getElementById("search"), selects = [...document.querySelectorAll(".controls select")];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const collator = new Intl.Collator("en", { numeric: true });
  const text = (row, column) => row.cells[column].dataset.text ?? row.cells[column].textContent.trim();

  function compare(column, isNumber, sign) {
    return (a, b) => {
      const [x, y] = [a, b].map((row) => (isNumber ? row.cells[column].dataset.key : text(row, column)));
      if (x === "" || y === "") return (x === "") - (y === ""); // what is missing stays at the end
      return sign * (isNumber ? x - y : collator.compare(x, y));
    };
  }

  function sort(head, column) {
    const isNumber = head.dataset.kind === "number", before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : isNumber; // numbers: the highest first
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort(compare(column, isNumber, down ? -1 : 1));
    body.append(...rows);
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((word) => texts.get(row).includes(word)) && selects.every((select) => {
        if (!select.value) return true;
        const key = select.dataset.key;
        return (key ? row.dataset[key] : text(row, names.indexOf(select.dataset.column))) === select.value;
      });
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("count").textContent = `${shown} of ${rows.length} runs`;
    document.getElementById("none").hidden = shown > 0;
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = names[column];
    button.addEventListener("click", () => sort(head, column));
    head.replaceChildren(button);
  });
  for (const select of selects.filter((each) => each.dataset.column)) {
    const column = names.indexOf(select.dataset.column);
    const values = [...new Set(rows.map((row) => text(row, column)))].filter(Boolean).sort(collator.compare);
    select.append(...values.map((value) => new Option(value, value)));
    select.closest("label").hidden = values.length < 2;
  }
  search.addEventListener("input", filter);
  selects.forEach((select) => select.addEventListener("change", filter));
  document.getElementById("reset").addEventListener("click", () => {
    search.value = "";
    selects.forEach((select) => { select.value = ""; });
    filter();
    search.focus();
  });
  document.querySelectorAll(".controls, .hint").forEach((each) => { each.hidden = false; });
  filter();
})();
