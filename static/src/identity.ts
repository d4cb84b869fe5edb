// Who causes an event. Not in sessionStorage, which is copied into duplicated tabs.

const bytes = crypto.getRandomValues(new Uint8Array(9));

/** This document, as long as it lives. */
export const tab = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");

let components = 0;
let requests = 0;

/** A number for a component, its own in this document. */
export const nextComponent = (): number => ++components;

/** A number for a request: those that are made later have larger ones. */
export const nextRequest = (): number => ++requests;

/** The number of the request that was made last. */
export const lastRequest = (): number => requests;

/** The name of a request of a component. */
export const requestName = (component: number, request: number): string =>
  `${component}-${request}`;

/** The request of this very component that caused an event, or null. */
export function ownRequest(sender: string | null, component: number): number | null {
  const start = `${tab}.${requestName(component, 0)}`.slice(0, -1);
  return sender?.startsWith(start) ? Number(sender.slice(start.length)) : null;
}
