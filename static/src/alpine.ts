// What of Alpine is used. The members with an underscore are its own internals, the
// same that its morph plugin reads: the version is pinned, and browser tests watch them.

export interface Alpine {
  data(name: string, provider: (this: { $el: HTMLElement }) => object): void;
  store(name: string): unknown;
  store(name: string, value: object): void;
  start(): void;
  nextTick(run: () => void): void;
  initTree(element: Element): void;
  destroyTree(element: Element): void;
  closestDataStack(element: Node): object[];
  $data(element: Element): Record<string, unknown>;
  cloneNode(from: Node, to: Node): void;
}

/** A node as Alpine leaves it. */
export interface AlpineNode {
  _x_dataStack?: object[];
  _x_lastRenderedEl?: Node;
  _x_teleport?: Element;
  _x_isShown?: boolean;
  _x_transitioning?: unknown;
  _x_model?: unknown;
}

declare global {
  interface Window {
    Alpine?: Alpine;
  }
}

/** Alpine's notes on a node. */
export const notes = (node: Node): AlpineNode => node as AlpineNode;
