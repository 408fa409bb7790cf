"use strict";
(() => {
  const make = (name, text, kind) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const amount = (text) => parseFloat(text.replace(/,/g, ""));
  const byNumber = (a, b) => (Number.isNaN(a) ? -1 : a) - (Number.isNaN(b) ? -1 : b);

  // Headings become buttons that sort by their column, upwards and, pressed again, downwards.
  const sortable = (table, head, place) => {
    const button = make("button", head.textContent, "sort");
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const number = head.classList.contains("num");
      const rows = Array.from(body.rows, (row) => {
        const text = row.cells[place].textContent;
        return [number ? amount(text) : text, row];
      });
      rows.sort(([a], [b]) => (number ? byNumber(a, b) : collator.compare(a, b)) * (down ? -1 : 1));
      body.append(...rows.map(([, row]) => row));
    });
  };

  // A field above the table: rows that do not hold all of its words are hidden.
  const filterable = (table) => {
    const rows = Array.from(table.tBodies[0].rows);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const field = make("input", "");
    field.type = "search";
    const label = make("label", "Filter ");
    label.append(field);
    const told = make("output", "");
    const tell = (many) => { told.textContent = `${many.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`; };
    tell(rows.length);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let many = 0;
      rows.forEach((row, place) => {
        row.hidden = !words.every((word) => texts[place].includes(word));
        if (!row.hidden) many += 1;
      });
      tell(many);
    });
    const control = make("div", "", "control");
    control.append(label, told);
    const box = table.closest(".wide") || table;
    box.before(control);
  };

  for (const table of document.querySelectorAll("table.data")) {
    if (table.tBodies[0].rows.length < 2) continue;
    Array.from(table.tHead.rows[0].cells).forEach((head, place) => sortable(table, head, place));
    if (table.tBodies[0].rows.length > 8) filterable(table);
  }

  // Where a page may not use the clipboard (a file in some browsers), the text is selected instead.
  const copy = async (code, button) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  for (const code of document.querySelectorAll(".filter > code")) {
    const button = make("button", "Copy", "copy");
    button.type = "button";
    button.setAttribute("aria-label", "Copy the Wireshark filter");
    button.addEventListener("click", () => copy(code, button));
    code.after(button);
  }
})();
