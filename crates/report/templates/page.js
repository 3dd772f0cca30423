"use strict";
// Tables sort by their heads and filter by a word; without this script they are plain tables.
const collator = new Intl.Collator("en", { numeric: true });
const text = (row, column) => row.cells[column].textContent.trim();
const number = (row, column) => parseFloat(text(row, column).replace(/^[^\d+\-.]+/, ""));

function sort(table, column, down) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const numeric = table.tHead.rows[0].cells[column].classList.contains("right");
  const sign = down ? -1 : 1;
  rows.sort((a, b) => {
    if (!numeric) return sign * collator.compare(text(a, column), text(b, column));
    const [x, y] = [number(a, column), number(b, column)];
    // What is no number comes last either way.
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y);
  });
  body.append(...rows);
  for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
  table.tHead.rows[0].cells[column].setAttribute("aria-sort", down ? "descending" : "ascending");
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, column, head.getAttribute("aria-sort") === "ascending"));
  });
}

function makeFilterable(box, table) {
  if (table.tBodies[0].rows.length < 6) return;
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "filter rows";
  field.setAttribute("aria-label", "Filter the rows of the table below");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const said = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => said.includes(word));
    }
  });
  box.before(field);
}

for (const box of document.querySelectorAll(".scroll")) {
  const table = box.querySelector("table");
  makeSortable(table);
  makeFilterable(box, table);
}

// Charts tell a value at once where the browser would wait.
const balloon = document.createElement("div");
balloon.className = "balloon";
balloon.setAttribute("role", "status");
balloon.hidden = true;
document.body.append(balloon);
for (const area of document.querySelectorAll(".tip")) {
  const title = area.querySelector("title");
  area.dataset.told = title.textContent;
  title.remove();
}
function show(event) {
  const told = event.target.dataset && event.target.dataset.told;
  balloon.hidden = !told;
  if (!told) return;
  balloon.textContent = told;
  const edge = document.documentElement.clientWidth - balloon.offsetWidth - 8;
  balloon.style.left = Math.max(8, Math.min(event.clientX + 12, edge)) + "px";
  const above = event.clientY - balloon.offsetHeight - 12;
  balloon.style.top = (above < 4 ? event.clientY + 16 : above) + "px";
}
document.addEventListener("pointermove", show);
document.addEventListener("pointerdown", show);
document.addEventListener("scroll", () => { balloon.hidden = true; }, { passive: true });
