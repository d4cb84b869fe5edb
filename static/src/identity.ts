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

/** Whether an event was caused by a request of this very component. */
export const isOwn = (sender: string | null, component: number): boolean =>
  sender !== null && sender.startsWith(`${tab}.${component}-`);
