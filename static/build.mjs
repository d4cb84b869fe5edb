// Bundles src/ into dist/, names the files by their hash, and watches their size.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const alpine = JSON.parse(readFileSync(join(here, "node_modules/alpinejs/package.json"), "utf8"));

/** Each bundle with its source, its format and the bytes it may have over the wire. */
const bundles = {
  "sse-components": { source: "src/index.ts", format: "iife", budget: 32 * 1024 },
  "sse-client": { source: "src/client.ts", format: "esm", budget: 6 * 1024 },
};

/** The code and the source map of a bundle, and what is in it. */
async function bundle({ source, format }) {
  const { metafile, outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: [source],
    outfile: "dist/bundle.js",
    write: false,
    bundle: true,
    minify: true,
    sourcemap: true,
    format,
    target: "es2022",
    legalComments: "none",
    metafile: true,
    // What its package has built is for development: it warns of what can't happen here.
    alias: { alpinejs: join(here, "node_modules/alpinejs/src/index.js") },
    define: {
      "process.env.NODE_ENV": '"production"',
      ALPINE_VERSION: JSON.stringify(alpine.version),
    },
  }).catch(() => process.exit(1)); // it has said why
  const [map, code] = outputFiles.map(({ text }) => text);
  // Once more, by one that is slower and leaves 5 % less.
  const small = await minify(code, {
    compress: { passes: 3, ecma: 2020 },
    ecma: 2020,
    module: format === "esm",
    sourceMap: { content: map },
  });
  const [output] = Object.values(metafile.outputs).filter(({ inputs }) => Object.keys(inputs).length);
  return { ...small, inputs: output.inputs };
}

/** What TypeScript is told of the transport client. */
function types() {
  const tsc = join(here, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.types.json"], {
    cwd: here,
    stdio: "inherit",
  });
  if (status) process.exit(status);
  copyFileSync(join(here, "node_modules/.types/client.d.ts"), join(dist, "sse-client.d.ts"));
}

mkdirSync(dist, { recursive: true });
const manifest = {};
const written = ["manifest.json", "sse-client.d.ts"];
let grown = false;
for (const [name, options] of Object.entries(bundles)) {
  const { code, map, inputs } = await bundle(options);
  const hash = createHash("sha256").update(code).digest("hex").slice(0, 12);
  const file = `${name}.${hash}.js`;
  writeFileSync(join(dist, file), `${code}\n//# sourceMappingURL=${file}.map\n`);
  writeFileSync(join(dist, `${file}.map`), map);
  written.push(file, `${file}.map`);
  manifest[`${name}.js`] = file;
  const size = gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
  console.log(`${file}: ${code.length} bytes, ${size} gzipped, of ${options.budget}`);
  grown ||= size > options.budget;
  if (process.argv.includes("--inputs"))
    for (const [input, { bytesInOutput }] of Object.entries(inputs))
      console.log(`${String(bytesInOutput).padStart(8)}  ${input}`);
}
types();

// Old files go last: until the manifest names the new ones, they are what is served.
writeFileSync(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
for (const file of readdirSync(dist)) if (!written.includes(file)) rmSync(join(dist, file));

if (grown) {
  console.error("A bundle is over its budget; `npm run size` says what is in it.");
  process.exit(1);
}
