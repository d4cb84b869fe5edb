// Which child of a live element becomes which child of the new HTML, and how to get
// there with the fewest moves.

import { notes } from "./alpine";

const isElement = (node: Node): node is Element => node.nodeType === Node.ELEMENT_NODE;

export function keyOf(node: Node): string | null {
  if (!isElement(node)) return null;
  const own = node.getAttribute("key") || node.id;
  return own || (node instanceof HTMLOptionElement ? `=${node.value}` : null);
}

/** A wrapper without a key follows the first keyed element in it. */
function contentKey(node: Node): string | null {
  if (!isElement(node)) return null;
  const inner = node.querySelector("[key],[id]");
  return inner && `>${inner.getAttribute("key") || inner.id}`;
}

/** A live child with what Alpine rendered after it (x-for, x-if): these stay together. */
type Unit = [Node, ...Node[]];

function units(parent: Node): Unit[] {
  const found: Unit[] = [];
  for (let node = parent.firstChild; node; node = node.nextSibling) {
    const unit: Unit = [node];
    const last = notes(node)._x_lastRenderedEl;
    while (last && node !== last && node.nextSibling) unit.push((node = node.nextSibling));
    found.push(unit);
  }
  return found;
}

/** For each new child the index of the unit that becomes it, if any. */
function match(live: Unit[], next: Node[]): (number | undefined)[] {
  const byKey = new Map<string, number>();
  const note = (key: string | null, index: number) => {
    if (key !== null && !byKey.has(key)) byKey.set(key, index);
  };
  live.forEach(([node], index) => note(keyOf(node), index));
  live.forEach(([node], index) => keyOf(node) === null && note(contentKey(node), index));

  const used = new Set<number>();
  const chosen = next.map((node) => {
    const index = byKey.get(keyOf(node) ?? contentKey(node) ?? "");
    if (index === undefined || used.has(index)) return undefined;
    if (live[index]?.[0].nodeName !== node.nodeName) return undefined;
    used.add(index);
    return index;
  });

  // What has no key is matched by its kind, in order.
  const free = new Map<string, number[]>();
  live.forEach(([node], index) => {
    if (used.has(index) || keyOf(node) !== null) return;
    free.set(node.nodeName, [...(free.get(node.nodeName) ?? []), index]);
  });
  let last = -1;
  next.forEach((node, position) => {
    const candidates = free.get(node.nodeName);
    if (chosen[position] === undefined && keyOf(node) === null && candidates?.length) {
      const later = candidates.findIndex((index) => index > last);
      chosen[position] = candidates.splice(Math.max(later, 0), 1)[0];
    }
    last = chosen[position] ?? last;
  });
  return chosen;
}

/** Places in a list of distinct numbers that form a longest increasing run. */
export function increasing(values: number[]): Set<number> {
  const before: number[] = [];
  const ends: number[] = []; // of the best run of each length
  values.forEach((value, place) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((values[ends[middle] as number] as number) < value) low = middle + 1;
      else high = middle;
    }
    before[place] = low ? (ends[low - 1] as number) : -1;
    ends[low] = place;
  });
  const run = new Set<number>();
  for (let place = ends.at(-1) ?? -1; place >= 0; place = before[place] as number) run.add(place);
  return run;
}

/** The same, but a given place is in the run. */
export function increasingThrough(values: number[], pinned: number): Set<number> {
  const middle = values[pinned] as number;
  const left: number[] = [];
  const right: number[] = [];
  values.forEach((value, place) => {
    if (place < pinned && value < middle) left.push(place);
    if (place > pinned && value > middle) right.push(place);
  });
  const run = new Set([pinned]);
  for (const side of [left, right])
    for (const place of increasing(side.map((each) => values[each] as number)))
      run.add(side[place] as number);
  return run;
}

/** Put the children of a live element into the order of the new ones. Returns the pairs. */
export function arrange(live: Element, to: ParentNode): [Node, Node][] {
  const present = units(live);
  const next = [...to.childNodes];
  const chosen = match(present, next);
  const used = new Set(chosen);
  present.forEach((unit, index) => {
    if (!used.has(index)) for (const node of unit) (node as ChildNode).remove();
  });

  const staying = standing(live, present, chosen);
  const pairs: [Node, Node][] = [];
  let reference: Node | null = null;
  for (let place = next.length - 1; place >= 0; place--) {
    const node = next[place] as Node;
    const index = chosen[place];
    const unit = index === undefined ? undefined : present[index];
    if (unit === undefined) {
      reference = live.insertBefore(document.importNode(node, true), reference);
      continue;
    }
    if (!staying.has(index as number) && unit.at(-1)?.nextSibling !== reference)
      for (const each of unit) move(live, each, reference);
    reference = unit[0];
    pairs.unshift([unit[0], node]);
  }
  return pairs;
}

/** The units that needn't move. Where moving loses the focus, its unit is one of them. */
function standing(
  live: Element,
  present: Unit[],
  chosen: (number | undefined)[],
): Set<number> {
  const order = chosen.filter(
    (index): index is number => index !== undefined && isElement((present[index] as Unit)[0]),
  );
  const active = document.activeElement;
  const pinned = canMove(live)
    ? -1
    : order.findIndex((index) => present[index]?.some((node) => node.contains(active)));
  const run = pinned < 0 ? increasing(order) : increasingThrough(order, pinned);
  return new Set([...run].map((place) => order[place] as number));
}

/** Not in every browser yet; it keeps focus, scroll positions and frames. */
const canMove = (live: Element): boolean =>
  live.isConnected && typeof live.moveBefore === "function";

/** One call, so that Alpine sees a move and keeps the state of what it moves. */
function move(live: Element, node: Node, reference: Node | null): void {
  if (canMove(live)) live.moveBefore(node, reference);
  else live.insertBefore(node, reference);
}
