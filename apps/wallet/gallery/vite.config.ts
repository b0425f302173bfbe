import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/** Every screen with invented states, for the browser tests and for looking at. Nothing of this is shipped. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  base: './',
  publicDir: 'public',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: fileURLToPath(new URL('../../../target/wallet-gallery', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { input: { gallery: fileURLToPath(new URL('../gallery.html', import.meta.url)) } },
  },
});
