// The npm package eventsource: prints each frame that it hears of the address given.

import { EventSource } from "eventsource";

const source = new EventSource(process.argv[2]);
const types = [
  "stream-open",
  "stream-reset",
  "stream-close",
  "component.data_changed",
];
for (const type of types) {
  source.addEventListener(type, ({ lastEventId }) => {
    console.log(JSON.stringify([type, lastEventId]));
  });
}
