// What the events about components say to one of them.

import type { Component } from "./component";
import type { EventFrame } from "./wire";

type Tell = (component: Component, frame: EventFrame) => void;

const REMOVED = "component.removed";

const tellings: Record<string, Tell> = {
  "component.data_changed": (component, frame) => {
    if (component.subscribes(frame.group)) component.push(frame);
  },
  "component.created": (component, frame) => {
    if (component.subscribes(targetOf(frame))) component.follow(frame);
  },
  [REMOVED]: (component, frame) => {
    // Also if its own call caused it: nobody else would take it off the page.
    if (!isRemoved(component, frame)) lose(component, frame);
    else if (component.isOlderThan(frame)) component.remove();
  },
};

export const isTold = (frame: EventFrame): boolean => Object.hasOwn(tellings, frame.type);

/** Tell a component of an event, if that concerns it. */
export const tell: Tell = (component, frame) => tellings[frame.type]?.(component, frame);

/** Tell it of one that was heard before it was there. */
export const replay: Tell = (component, frame) => {
  // What was removed may be there again: the server knows, and answers 410 if not.
  if (frame.type === REMOVED && isRemoved(component, frame)) component.follow(frame);
  else tell(component, frame);
};

export const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

const targetOf = ({ group, payload }: EventFrame): string => text(payload.target_group) ?? group;

function isRemoved(component: Component, frame: EventFrame): boolean {
  const { component_id, key } = frame.payload;
  const { view } = component;
  if (text(component_id) !== null) return view.id === component_id;
  if (text(key) !== null) return view.key === key && component.subscribes(frame.group);
  return view.groups.includes(targetOf(frame));
}

/** Tell who hears of what is removed by a pattern, as a sum does. */
function lose(component: Component, frame: EventFrame): void {
  if (text(frame.payload.component_id) ?? text(frame.payload.key)) return;
  if (component.subscribes(targetOf(frame))) component.follow(frame);
}
