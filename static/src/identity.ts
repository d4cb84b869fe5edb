// Who causes an event. Not in sessionStorage, which is copied into duplicated tabs.

const bytes = crypto.getRandomValues(new Uint8Array(9));

/** This document, as long as it lives. */
export const tab = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");

let components = 0;
let requests = 0;

/** A number for a component, its own in this document. */
export const nextComponent = (): number => ++components;

/** The name of one request of a component. */
export const nextRequest = (component: number): string => `${component}-${++requests}`;

/** Whether an event was caused by a request of this very component. */
export const isOwn = (sender: string | null, component: number): boolean =>
  sender !== null && sender.startsWith(`${tab}.${component}-`);
