// Making elements. Everything a person or a program wrote goes in as text, never as HTML.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function field(label, control) {
  return el("label", { class: "field" }, el("span", {}, label), control);
}

export function input(name, value = "", more = {}) {
  return el("input", { name, value, autocomplete: "off", ...more });
}

export const texts = JSON.parse(document.getElementById("texts").textContent);

export function t(name, values = {}) {
  return (texts[name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

const HUES = 10;

export function initials(name) {
  const bare = name.split("·").pop().trim() || name.trim();
  if (/[㐀-鿿]/.test(bare)) return [...bare].filter((c) => /[㐀-鿿\w]/.test(c)).slice(-2).join("");
  const words = bare.split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [...words[0]][0] + [...words[words.length - 1]][0] : [...bare].slice(0, 2).join("");
  return (letters || "?").toUpperCase();
}

export function avatar(person, size = "") {
  let sum = 0;
  for (const character of person.id) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  const classes = ["avatar", person.ours ? "ours" : `hue-${sum % HUES}`, size].filter(Boolean).join(" ");
  return el("span", { class: classes, title: `${person.name}\n${person.id}`, "aria-hidden": "true" }, initials(person.name));
}

export async function post(path, body) {
  const answer = await fetch(`/sim/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    const reason = await answer.json().catch(() => ({}));
    throw new Error(reason.error || `HTTP ${answer.status}`);
  }
}

export function complain(error) {
  const note = el("div", { class: "toast", role: "alert" }, error.message || String(error));
  document.body.append(note);
  setTimeout(() => note.remove(), 5000);
}
