import { defineConfig } from 'vite'

// The same sources make the same files on every machine: targets are fixed, names are hashes of contents, and nothing reads the environment.
export default defineConfig({
  base: '/console/',
  publicDir: false,
  envDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    cssTarget: ['chrome111', 'safari16.4', 'firefox115'],
    outDir: 'dist',
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    license: { fileName: 'LICENSE.txt' },
  },
  server: { proxy: { '/v1': 'http://127.0.0.1:8080', '/account': 'http://127.0.0.1:8080', '/docs': 'http://127.0.0.1:8080' } },
})
