// The npm package eventsource-client: prints each frame that it hears of the address given.

import { createEventSource } from "eventsource-client";

for await (const { event, id } of createEventSource(process.argv[2])) {
  console.log(JSON.stringify([event, id ?? ""]));
}
