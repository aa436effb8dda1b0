import type { IncomingMessage, ServerResponse } from 'node:http';

/** What the port answers to plain HTTP: probes, metrics, and facts for people and scripts. */

export interface HttpFaces {
  /** Whether clients should come here; the reasons are for people. */
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] };
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  status(): unknown;
}

type Handler = (faces: HttpFaces, verbose: boolean) => Promise<Answer> | Answer;

interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: string;
}

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

const routes: Readonly<Record<string, Handler>> = {
  // That it answers is the answer: the event loop turns and the data directory is open. Never a quorum: a store
  // that is restarted because others are down makes things worse.
  '/livez': () => ({ code: 200, contentType: TEXT, body: 'ok\n' }),
  '/readyz': (faces, verbose) => {
    const { ready, reasons } = faces.readiness();
    const lines = verbose || !ready ? reasons.map((reason) => `- ${reason}\n`).join('') : '';
    return { code: ready ? 200 : 503, contentType: TEXT, body: `${ready ? 'ready' : 'not ready'}\n${lines}` };
  },
  '/metrics': async (faces) => {
    const { contentType, text } = await faces.metrics();
    return { code: 200, contentType, body: text };
  },
  '/api/status': (faces) => ({
    code: 200,
    contentType: JSON_TYPE,
    body: `${JSON.stringify(faces.status(), undefined, 2)}\n`,
  }),
};

/** Never throws and never leaves a request without an answer. */
export function serveHttp(
  faces: HttpFaces,
  request: IncomingMessage,
  response: ServerResponse,
  failed: (error: Error) => void,
): void {
  const answer = (async (): Promise<Answer> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { code: 405, contentType: TEXT, body: 'only GET is answered here\n' };
    }
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const handler = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (handler === undefined) {
      return { code: 404, contentType: TEXT, body: `here are ${Object.keys(routes).join(' ')}\n` };
    }
    return handler(faces, new URLSearchParams(query).has('verbose'));
  })();
  answer
    .catch((error: Error): Answer => {
      failed(error);
      return { code: 500, contentType: TEXT, body: 'this failed; the log of the store says why\n' };
    })
    .then(({ code, contentType, body }) => {
      response.writeHead(code, {
        'content-type': contentType,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    })
    .catch(failed);
}
