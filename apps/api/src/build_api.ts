import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { createMetrics, type HealthCheck, showBuses, TroveError } from '@trove/common';
import { fastify } from 'fastify';
import type { ApiApp } from './api_app.ts';
import type { ApiDeps } from './deps.ts';
import { brokenParts } from './health.ts';
import { addAuthentication } from './plugins/authentication.ts';
import { addBodyParsers, BODY_LIMIT } from './plugins/bodies.ts';
import { addErrorAnswers, errorAnswerer } from './plugins/error_answers.ts';
import { addOpenapi } from './plugins/openapi.ts';
import { addRequestLog, newRequestId } from './plugins/request_log.ts';
import { addRequestMetrics } from './plugins/request_metrics.ts';
import { addStopping } from './plugins/stopping.ts';
import { PROJECT_ROUTES, SERVICE_ROUTES } from './routes/index.ts';
import { createComputeChoices } from './work/compute_choices.ts';
import { createDoorbell } from './work/doorbell.ts';
import { measuredTaskmanager } from './work/measured_taskmanager.ts';

/** The REST service as a value; nothing listens until it is told to. */
export interface Api {
  /** For `inject` in tests. */
  readonly app: ApiApp;
  /**
   * Resolves to the address that it listens on, `http://127.0.0.1:8779`, or `https:` with a certificate. Port 0 is the
   * system's choice. Rejects with `CONFIG_INVALID`.
   */
  listen(address: { host: string; port: number }): Promise<string>;
  readonly health: HealthCheck;
  /** Takes no more (503 on connections that stand), answers what it has, rings the last doorbells. What it was given stays open. */
  close(): Promise<void>;
}

/** One path element's characters at most, decoded: a user's name with its host fits. */
const PATH_ELEMENT_LIMIT = 512;

export async function buildApi(deps: ApiDeps): Promise<Api> {
  const answerError = errorAnswerer(deps.logger);
  const metrics = deps.metrics ?? createMetrics();
  showBuses(metrics, { control: deps.bus });
  const listening = deps.tls === undefined ? {} : { https: deps.tls };
  const app: ApiApp = fastify({
    ...(listening as object),
    logger: false,
    bodyLimit: BODY_LIMIT,
    exposeHeadRoutes: false,
    // Ours says it in the API's own words.
    return503OnClosing: false,
    genReqId: newRequestId,
    frameworkErrors: (error, request, reply) => {
      void answerError(error, request, reply);
    },
    rewriteUrl: (request) => withoutSuffix(request.url ?? '/'),
    routerOptions: { maxParamLength: PATH_ELEMENT_LIMIT },
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
        verbose: true,
      },
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  const taskmanager = measuredTaskmanager(deps.taskmanager, metrics);
  const doorbell = createDoorbell(taskmanager, deps.logger);
  const work = { deps: { ...deps, taskmanager }, choices: createComputeChoices(deps.compute), doorbell };
  addErrorAnswers(app, deps.logger);
  addRequestLog(app, deps.logger);
  const stopping = addStopping(app);
  addRequestMetrics(app, metrics);
  addBodyParsers(app);
  addAuthentication(app, deps.identity);
  await addOpenapi(app);
  for (const route of SERVICE_ROUTES) route(app, work);
  await app.register(
    async (below: ApiApp) => {
      for (const route of PROJECT_ROUTES) route(below, work);
    },
    { prefix: '/v1.0/:project_id' },
  );
  await app.ready();
  return {
    app,
    listen: (address) => listen(app, address),
    health: () => brokenParts(deps),
    close: async () => {
      stopping.begin();
      await app.close();
      await doorbell.settled();
    },
  };
}

async function listen(app: ApiApp, { host, port }: { host: string; port: number }): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'error';
    const how = reason === 'EADDRINUSE' ? ': something listens there; stop it, or set another bind_port' : '';
    const message = `[DEFAULT] bind_host, bind_port: cannot listen on ${host}:${port} (${reason})${how}`;
    throw new TroveError('CONFIG_INVALID', message, { cause: error });
  }
}

/** Every path below a project may end in `.json`; it says what the answer is in any case. */
function withoutSuffix(url: string): string {
  return url.startsWith('/v1.0/') ? url.replace(/\.json(?=\?|$)/, '') : url;
}
