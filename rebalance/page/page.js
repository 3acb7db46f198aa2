"use strict";
(() => {
  const table = document.querySelector("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const sections = [...document.querySelectorAll(".strips section")];
  const search = document.querySelector("input[type=search]");
  const status = document.querySelector("[role=status]");

  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const names = new Map(rows.map((row) => [row, fold(row.cells[1].textContent)]));
  const titles = new Map(sections.map((section) => [section, fold(section.querySelector("h3").textContent)]));

  search.addEventListener("input", () => {
    const wanted = fold(search.value.trim());
    let n = 0;
    for (const [row, name] of names) {
      row.hidden = !name.includes(wanted);
      n += row.hidden ? 0 : 1;
    }
    for (const [section, title] of titles) section.hidden = !title.includes(wanted);
    status.textContent = wanted ? `${n} of ${rows.length}` : "";
  });

  document.querySelector("input[type=checkbox]").addEventListener("change", (event) => {
    table.classList.toggle("log", event.target.checked);
  });

  const value = (row, column) => {
    const cell = row.cells[column];
    const text = column === 2 ? row.cells[column].dataset.most : cell.textContent;
    const number = parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? -Infinity : number;
  };

  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    head.querySelector("button").addEventListener("click", () => {
      const isAscending = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
      const sign = isAscending ? 1 : -1;
      const compare = column === 1
        ? (one, other) => names.get(one).localeCompare(names.get(other), undefined, { numeric: true })
        : (one, other) => value(one, column) - value(other, column) || 0;
      body.append(...rows.sort((one, other) => sign * compare(one, other)));
    });
  }

  const dialog = document.querySelector("dialog");
  const buttons = [...document.querySelectorAll("figure button")];
  let shown = 0;
  const show = (place) => {
    shown = (place + buttons.length) % buttons.length;
    const image = buttons[shown].querySelector("img");
    const large = dialog.querySelector("img");
    large.src = image.src;
    large.alt = image.alt;
    const told = dialog.querySelector("p");
    told.replaceChildren(...[...buttons[shown].parentElement.querySelector("figcaption").childNodes].map((node) => node.cloneNode(true)));
  };
  for (const [place, button] of buttons.entries()) {
    button.addEventListener("click", () => {
      show(place);
      dialog.showModal();
    });
  }
  const [previous, next] = dialog.querySelectorAll(".moves button");
  previous.addEventListener("click", () => show(shown - 1));
  next.addEventListener("click", () => show(shown + 1));
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(shown - 1);
    if (event.key === "ArrowRight") show(shown + 1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => buttons[shown].focus());
})();
