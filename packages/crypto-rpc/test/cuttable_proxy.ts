import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy before the host of `url` that ends all its connections at once when told. */
export async function cuttableProxy(
  url: string,
): Promise<{ url: string; cut(): Promise<void>; close(): Promise<void> }> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const here = new URL(url);
  here.hostname = '127.0.0.1';
  here.port = String(port);
  const cut = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: here.href,
    cut,
    close: async () => {
      await cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
