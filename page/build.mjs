/**
 * Builds what the front door serves: `node build.mjs [DIRECTORY]`, ../api/static unless told.
 *
 * Names of assets hold a hash of what is in them, so a browser keeps them for ever; each has a gzipped twin.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { build } from 'esbuild';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TARGET = join(HERE, '..', 'api', 'static');
const PAGES = ['index.html', 'docs.html'];
const ENTRIES = ['page.js', 'page.css', 'docs.js', 'docs.css'];
const BROWSERS = ['chrome116', 'firefox124', 'safari17.4'];

const compressed = promisify(gzip);

/** @returns {Promise<Map<string, string>>} the names of assets by those of their sources */
async function bundle(directory) {
  const { metafile } = await build({
    absWorkingDir: HERE,
    entryPoints: ENTRIES.map((name) => join('src', name)),
    outdir: directory,
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    format: 'esm',
    target: BROWSERS,
    legalComments: 'linked',
    metafile: true,
    logLevel: 'warning',
  });
  const built = Object.entries(metafile.outputs).filter(([, { entryPoint }]) => entryPoint !== undefined);
  return new Map(built.map(([path, { entryPoint }]) => [basename(entryPoint), basename(path)]));
}

/** A page's source names its assets as {{page.js}}. */
function filled(source, names) {
  return source.replace(/\{\{([\w.]+)\}\}/g, (_, name) => {
    if (!names.has(name)) throw new Error(`no asset is called ${name}`);
    return `/assets/${names.get(name)}`;
  });
}

async function main(target) {
  const making = `${target}.${process.pid}`;
  const assets = join(making, 'assets');
  await mkdir(assets, { recursive: true });
  const names = await bundle(assets);
  for (const name of names.values()) {
    const content = await readFile(join(assets, name));
    await writeFile(join(assets, `${name}.gz`), await compressed(content, { level: constants.Z_BEST_COMPRESSION }));
  }
  for (const name of PAGES) {
    await writeFile(join(making, name), filled(await readFile(join(HERE, 'src', name), 'utf8'), names));
  }
  // whoever serves meanwhile finds the old files or the new ones
  await rm(target, { recursive: true, force: true });
  await rename(making, target);
}

await main(process.argv[2] ?? TARGET);
