import { defineConfig } from 'vite';
import { shell } from './build/shell.ts';

/** What is fetched later is named here; whatever else lies in `src` is of the first load. */
const LATER = /\/src\/(sw|texts\/(de|en|more)|core\/(move|pin|waking)|app\/(moving|push|waking)|screens\/(more|account|block|cards|consents|data|devices|history|move|settings|timers))\b/;

const isFirst = (id: string) => /\/src\/.+\.tsx?$|preact/.test(id) && !LATER.test(id);

export default defineConfig({
  // Below any tenant's path.
  base: './',
  publicDir: 'public',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rollupOptions: {
      input: { index: 'index.html', sw: 'src/sw.ts' },
      output: {
        // The whole first load in one file, which compresses better than two: what is fetched later shares nearly all of it.
        codeSplitting: { groups: [{ name: 'first', test: isFirst }] },
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  plugins: [shell()],
});
