import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';

const require = createRequire(import.meta.url);
const SDK = dirname(dirname(require.resolve('hydrogen-view-sdk')));
/** What the package asks for by name is looked up from where the package is. */
const requireFromSdk = createRequire(join(SDK, 'package.json'));

/** What the package imports by name, with the CommonJS file that is behind it; the browser gets each as a module with a default export. */
const COMMON_JS: Readonly<Record<string, string>> = {
  'another-json': requireFromSdk.resolve('another-json'),
  'base64-arraybuffer': requireFromSdk.resolve('base64-arraybuffer'),
  dompurify: requireFromSdk.resolve('dompurify'),
  'off-color': join(dirname(requireFromSdk.resolve('off-color')), 'cjs/index.min.js'),
};
const OLM = dirname(requireFromSdk.resolve('@matrix-org/olm'));

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

/** The page of a server's client: the whole application of the package, as its README puts it together, with encryption and service worker. */
function pageFor(homeserver: string): string {
  const imports = {
    'hydrogen-view-sdk': '/lib-build/hydrogen.es.js',
    // The page loads Olm as a script of its own, with its WebAssembly; the import in the package is for bundlers.
    '@matrix-org/olm/olm.js': 'data:text/javascript,',
    ...Object.fromEntries(Object.keys(COMMON_JS).map((name) => [name, `/common-js/${name}.js`])),
  };
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Hydrogen</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/assets/theme-element-light.css" />
    <script type="importmap">${JSON.stringify({ imports })}</script>
  </head>
  <body class="hydrogen">
    <script type="module">
      import { createNavigation, createRouter, FeatureSet, Platform, RootViewModel } from 'hydrogen-view-sdk';
      const platform = new Platform({
        container: document.body,
        assetPaths: {
          downloadSandbox: '/assets/download-sandbox.html',
          worker: '/assets/main.js',
          olm: { wasm: '/olm/olm.wasm', legacyBundle: '/olm/olm_legacy.js', wasmBundle: '/olm/olm.js' },
          serviceWorker: '/sw.js',
        },
        config: { defaultHomeServer: ${JSON.stringify(homeserver)} },
        options: { development: false },
      });
      const navigation = createNavigation();
      platform.setNavigation(navigation);
      const urlRouter = createRouter({ navigation, history: platform.history });
      urlRouter.attach();
      await platform.init();
      const features = await FeatureSet.load(platform.settingsStorage);
      const viewModel = new RootViewModel({ platform, urlRouter, navigation, features });
      await viewModel.load();
      platform.createAndMountRootView(viewModel);
    </script>
  </body>
</html>`;
}

/** Gives null for what there is not. */
async function contentOf(path: string, homeserver: string): Promise<Buffer | string | null> {
  if (path === '/' || path === '/index.html') return pageFor(homeserver);
  if (path === '/sw.js') return readFile(join(SDK, 'lib-build/sw.js'));
  const [, folder = '', ...rest] = normalize(path).split('/');
  const name = rest.join('/');
  switch (folder) {
    case 'lib-build':
      return readFile(join(SDK, 'lib-build', name));
    case 'assets':
      return readFile(join(SDK, 'asset-build/assets', name));
    case 'olm':
      return readFile(join(OLM, name));
    case 'common-js': {
      const file = COMMON_JS[name.slice(0, -'.js'.length)];
      if (file === undefined) return null;
      const source = await readFile(file, 'utf8');
      return `const module = { exports: {} }; (function (exports) {${source}\n})(module.exports);\nexport default module.exports;`;
    }
    default:
      return null;
  }
}

/** A web server that has nothing but a client, at an origin that is not the homeserver's. */
export interface HydrogenPage {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves Hydrogen on a free port; it offers to log in at `homeserver`, a URL. */
export async function serveHydrogen(homeserver: string): Promise<HydrogenPage> {
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    // A file that is not there is null like a path that is none.
    const content = await contentOf(path, homeserver).catch(() => null);
    const type = TYPES[path === '/' ? '.html' : extname(path)] ?? 'text/plain';
    response.writeHead(content === null ? 404 : 200, { 'content-type': type }).end(content);
  };
  const server = createServer((request, response) => {
    void answer(new URL(request.url ?? '/', 'http://page').pathname, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
