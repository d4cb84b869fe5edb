// Bundles src/ into dist/, names the files by their hash, and watches their size.

import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

/** Each bundle with its source and the bytes it may have over the wire. */
const bundles = {
  "sse-components": { source: "src/index.ts", budget: 32 * 1024 },
};

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: Object.fromEntries(
    Object.entries(bundles).map(([name, { source }]) => [name, source]),
  ),
  entryNames: "[name].[hash]",
  outdir: "dist",
  bundle: true,
  minify: true,
  sourcemap: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  metafile: true,
}).catch(() => process.exit(1)); // it has said why

const manifest = {};
let grown = false;
for (const [path, output] of Object.entries(metafile.outputs)) {
  if (!output.entryPoint) continue;
  const [name, { budget }] = Object.entries(bundles).find(
    ([, { source }]) => source === output.entryPoint,
  );
  const file = basename(path);
  manifest[`${name}.js`] = file;
  const size = gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
  console.log(`${file}: ${output.bytes} bytes, ${size} gzipped, of ${budget}`);
  grown ||= size > budget;
  if (process.argv.includes("--inputs"))
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs))
      console.log(`${String(bytesInOutput).padStart(8)}  ${input}`);
}

// Old files go last: until the manifest names the new ones, they are what is served.
const written = Object.keys(metafile.outputs).map((path) => basename(path));
writeFileSync(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
for (const file of readdirSync(dist))
  if (![...written, "manifest.json"].includes(file)) rmSync(join(dist, file));

if (grown) {
  console.error("A bundle is over its budget; `npm run size` says what is in it.");
  process.exit(1);
}
