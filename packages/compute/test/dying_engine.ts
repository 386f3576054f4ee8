import Docker from 'dockerode';
import type { DockerHost } from '../src/docker/docker_hosts.ts';
import { Engine } from '../src/docker/engine.ts';

/** An engine whose client is killed at its n-th request: after it was done, and before the answer is seen. */
export class DyingEngine extends Engine {
  #left: number;

  constructor(host: DockerHost, socket: string, request: number) {
    super(host, new Docker({ socketPath: socket.slice('unix://'.length) }), undefined);
    this.#left = request;
  }

  /** Whether the request was reached. */
  get died(): boolean {
    return this.#left <= 0;
  }

  override async call<T>(...given: Parameters<Engine['call']>): Promise<T> {
    this.#left -= 1;
    if (this.#left < 0) throw new Error('killed');
    const answer = (await super.call(...given)) as T;
    if (this.#left === 0) throw new Error('killed');
    return answer;
  }
}
