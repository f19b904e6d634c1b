"use strict";
// Column headings become buttons that sort their table; without scripts the tables are complete all the same.
const numberOf = (text) => Number(text.replaceAll(",", ""));

function compare(one, two) {
  const [a, b] = [numberOf(one), numberOf(two)];
  return Number.isNaN(a) || Number.isNaN(b) ? one.localeCompare(two, "en", { numeric: true }) : a - b;
}

function sort(table, heading) {
  const descending = heading.getAttribute("aria-sort") !== "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const text = (row) => row.cells[heading.cellIndex].textContent;
  const rank = (row) => (row.classList.contains("sum") ? 2 : text(row) === "–" ? 1 : 0); // sums last
  const order = descending ? -1 : 1;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => rank(a) - rank(b) || order * compare(text(a), text(b)));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(table, heading));
  }
}
