// The documentation at /docs: the menu of narrow screens, the search, and the token of the reference.
"use strict";

const menu = document.getElementById("menu");
const sidebar = document.getElementById("sidebar");
function openMenu(open) {
  sidebar.classList.toggle("open", open);
  menu.setAttribute("aria-expanded", String(open));
}
menu.addEventListener("click", () => openMenu(!sidebar.classList.contains("open")));
sidebar.addEventListener("click", (event) => { if (event.target.closest("a")) openMenu(false); });
const current = sidebar.querySelector("[aria-current]");
if (current) sidebar.scrollTop = Math.max(0, current.offsetTop - 200);

// The search loads its index with the first letter. Every word must be found; a word in a title counts more.
const form = document.getElementById("search");
const input = form.querySelector("input");
const found = document.getElementById("found");
let index;
async function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) { found.hidden = true; return; }
  index = index || fetch("/docs/search.json").then((answer) => answer.json());
  const entries = (await index).map((entry) => {
    const title = (entry.title + " " + entry.page).toLowerCase(), text = entry.text.toLowerCase();
    let score = 0;
    for (const word of words) {
      if (title.includes(word)) score += 5;
      else if (text.includes(word)) score += 1;
      else return { score: 0 };
    }
    return { score, entry };
  }).filter((one) => one.score > 0).sort((a, b) => b.score - a.score).slice(0, 20);
  found.replaceChildren(...entries.map(({ entry }) => {
    const item = document.createElement("li"), link = document.createElement("a"), page = document.createElement("small");
    link.href = entry.path;
    link.textContent = entry.title;
    page.textContent = entry.page;
    link.append(page);
    item.append(link);
    return item;
  }));
  if (entries.length === 0) {
    const nothing = document.createElement("p");
    nothing.textContent = "Nothing has all these words.";
    found.append(nothing);
  }
  found.hidden = false;
}
input.addEventListener("input", search);
input.addEventListener("focus", search);
form.addEventListener("submit", (event) => { event.preventDefault(); found.querySelector("a")?.click(); });
found.addEventListener("click", () => { found.hidden = true; });
document.addEventListener("click", (event) => { if (!form.contains(event.target)) found.hidden = true; });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") found.hidden = true;
  if (event.key === "/" && event.target === document.body) { event.preventDefault(); input.focus(); }
});

// A token that a call was tried with is kept for the other pages of this tab.
const explorer = document.querySelector("openapi-explorer");
if (explorer) {
  explorer.addEventListener("request", (event) => {
    const token = event.detail.request.headers.get("Authorization")?.replace(/^Bearer /, "");
    if (token) sessionStorage.setItem("token", token);
  });
  explorer.addEventListener("spec-loaded", () => {
    const token = sessionStorage.getItem("token");
    if (token) explorer.setAuthenticationConfiguration("accessToken", { token });
  });
}
