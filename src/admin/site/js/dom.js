// Elements: made from values, never from markup, so that nothing from the API is ever read as HTML.

const SVG = 'http://www.w3.org/2000/svg';
const HANDLERS = ['onclick', 'oninput', 'onchange', 'onsubmit', 'onkeydown', 'onpointerenter', 'onpointerleave', 'onfocus', 'onblur'];

/** An HTML element: `h('p', { class: 'x' }, 'text', element, …)`. Children that are null, undefined or false are left out. */
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** An SVG element. */
export function s(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (HANDLERS.includes(key)) element[key] = value;
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/**
 * Makes the children of `parent` equal to `children`, changing as little as possible: focus, scroll positions, open
 * details and what is typed stay. Elements with another `data-key` than before are other elements.
 */
export function render(parent, ...children) {
  const wanted = flat(children).map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
  let old = parent.firstChild;
  for (const next of wanted) {
    if (old === null) {
      parent.append(next);
      continue;
    }
    const after = old.nextSibling;
    if (old !== next) {
      if (isSame(old, next)) morph(old, next);
      else parent.replaceChild(next, old);
    }
    old = after;
  }
  while (old !== null) {
    const after = old.nextSibling;
    old.remove();
    old = after;
  }
}

function isSame(old, next) {
  return old.nodeType === next.nodeType && old.nodeName === next.nodeName && old.dataset?.key === next.dataset?.key;
}

function morph(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  // Whoever owns the inside of an element renders it.
  if (next.hasAttribute('data-own')) return;
  const scrolls = old.hasAttribute('data-scrolls') && ['data-scrolls', 'tabindex', 'role', 'aria-label'];
  const kept = (name) => (scrolls && scrolls.includes(name)) || (name === 'open' && old.nodeName === 'DETAILS') || (name === 'value' && old.nodeName === 'INPUT');
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value && !kept(name)) old.setAttribute(name, value);
  for (const name of HANDLERS) if (old[name] !== next[name]) old[name] = next[name];
  // Options that move from one list to another change what is chosen in both.
  const { value } = next;
  render(old, ...next.childNodes);
  if (old.nodeName === 'SELECT' && old.value !== value) old.value = value;
}

/** A table that scrolls in its own box where it is wider than the page. `columns`: `[heading, class]`. */
export function table(caption, columns, rows, properties = {}) {
  const heads = columns.map(([text, kind]) => h('th', { scope: 'col', class: kind }, text));
  const body = rows.length > 0 ? rows : [h('tr', {}, h('td', { colspan: columns.length, class: 'none' }, properties.none ?? 'none'))];
  return h('div', { class: 'scroll', 'data-label': caption },
    h('table', {}, h('caption', { class: properties.shown ? undefined : 'unseen' }, caption),
      h('thead', {}, h('tr', {}, heads)), h('tbody', {}, body)));
}

/** Boxes that scroll can be reached by keyboard; those that do not are no stop on the way. */
export function markScrolling() {
  for (const box of document.querySelectorAll('.scroll, .tall, pre')) {
    const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (scrolls === box.hasAttribute('data-scrolls')) continue;
    const marks = { 'data-scrolls': '', tabindex: '0', role: 'group', 'aria-label': box.dataset.label ?? 'More' };
    for (const [name, value] of Object.entries(marks)) scrolls ? box.setAttribute(name, value) : box.removeAttribute(name);
  }
}

/** A label with its control. */
export function field(label, control, hint) {
  return h('label', { class: 'field' }, h('span', {}, label), control, hint && h('small', {}, hint));
}

/** A list to choose from; `options`: `[value, text]`. */
export function select(name, options, chosen, onchange) {
  const made = options.map(([value, text]) => h('option', { value, selected: value === chosen }, text));
  return h('select', { name, onchange }, made);
}

/** The color behind a custom property as the canvas understands it. */
export function color(variable) {
  const probe = h('span', { class: 'probe' });
  document.body.append(probe);
  probe.style.color = `var(${variable})`;
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
