import type { FastifyRequest } from 'fastify';

export interface Link {
  rel: string;
  href: string;
}

/** The host as the client addressed it. Links are https whatever came in, as in Trove: TLS ends before us. */
export function hostOf(request: FastifyRequest): string {
  return request.headers.host ?? 'localhost';
}

/** Self and bookmark links of one object; `resource` is `instances`, `flavors`, `datastores/versions`, … */
export function linksOf(request: FastifyRequest, resource: string, id: string): Link[] {
  const [host, project] = [hostOf(request), request.caller?.projectId ?? ''];
  return [
    { rel: 'self', href: `https://${host}/v1.0/${project}/${resource}/${id}` },
    { rel: 'bookmark', href: `https://${host}/${resource}/${id}` },
  ];
}
