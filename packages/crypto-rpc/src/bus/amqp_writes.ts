import { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';

/**
 * Lets what one turn of the event loop writes leave in one system call: amqplib writes frame by frame, and each write costs
 * as much as sealing a message. Does nothing where the connection's stream is no socket of Node's.
 */
export function gatherWrites(connection: ChannelModel): () => void {
  const stream: unknown = Reflect.get(connection.connection, 'stream');
  if (!(stream instanceof Socket)) return () => {};
  let corked = false;
  const uncork = (): void => {
    corked = false;
    stream.uncork();
  };
  return () => {
    if (corked) return;
    corked = true;
    stream.cork();
    // amqplib moves frames to the stream in an immediate that it asks for in the next tick, so this one comes after it.
    process.nextTick(() => setImmediate(uncork));
  };
}
