/** Finishes the build: the service worker learns which files make the shell, and the provider gets a table of everything it serves. */

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const MARK = '__SHELL__';

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
};

function mediaType(name: string): string {
  const found = TYPES[name.slice(name.lastIndexOf('.') + 1)];
  if (!found) throw new Error(`${name}: say in build/shell.ts with which media type it is served`);
  return found;
}

/** Worth compressing: text that is not tiny. */
function isPacked(name: string): boolean {
  return /\.(html|js|css|svg)$/.test(name) && name !== 'icon.svg';
}

/** Rust that embeds the files: a list of `File`. */
function table(names: string[]): string {
  const rows = names.map((name) => {
    const gzip = isPacked(name) ? `Some(include_bytes!("${name}.gz"))` : 'None';
    return `    File {
        path: "${name}",
        media_type: "${mediaType(name)}",
        hashed: ${name.startsWith('assets/')},
        bytes: include_bytes!("${name}"),
        gzip: ${gzip},
    },
`;
  });
  return `// Written by the build of apps/wallet.\n&[\n${rows.join('')}]\n`;
}

export function shell(): Plugin {
  return {
    name: 'healthid-shell',
    apply: 'build',
    // Also after the page was written.
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const built = Object.values(bundle);
        const worker = built.find((file) => file.fileName === 'sw.js');
        if (!worker || worker.type !== 'chunk' || !worker.code.includes(MARK)) throw new Error(`sw.js: no ${MARK} in it`);
        if (worker.imports.length > 0) throw new Error('sw.js: must not import, it would be cached apart from what it caches');
        const copied = readdirSync('public');
        const names = [...built.map((file) => file.fileName), ...copied].sort();
        const hash = createHash('sha256');
        for (const file of [...built].sort((a, b) => (a.fileName < b.fileName ? -1 : 1))) {
          hash.update(`${file.fileName}\0`).update(file.type === 'chunk' ? file.code : file.source);
        }
        for (const name of [...copied].sort()) hash.update(`${name}\0`).update(readFileSync(join('public', name)));
        // The page is cached as the folder itself: that is the address people open.
        const files = names.filter((name) => name !== 'sw.js').map((name) => (name === 'index.html' ? './' : name));
        const version = hash.digest('hex').slice(0, 16);
        worker.code = worker.code.replace(MARK, JSON.stringify({ version, files }).replaceAll('"', '\\"'));
        this.emitFile({ type: 'asset', fileName: 'files.rs', source: table(names) });
      },
    },
    writeBundle(options) {
      // After everything: what is compressed is what was written.
      const dir = options.dir ?? 'dist';
      for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
        if (isPacked(name)) writeFileSync(join(dir, `${name}.gz`), gzipSync(readFileSync(join(dir, name)), { level: 9 }));
      }
    },
  };
}
