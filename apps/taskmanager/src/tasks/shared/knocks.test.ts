import { TroveError } from '@trove/common';
import { expect, test } from 'vitest';
import { type Knocking, Knocks } from './knocks.ts';

/** A guest that answers when it is told to. */
class Guest implements Knocking<string> {
  readonly deadlines: number[] = [];
  wakes = 0;
  #answer = Promise.withResolvers<string>();

  readonly ask = (deadlineMs: number): Promise<string> => {
    this.deadlines.push(deadlineMs);
    return this.#answer.promise;
  };

  readonly wake = async (): Promise<void> => void (this.wakes += 1);

  comes(): void {
    this.#answer.resolve('here');
  }

  /** The question runs out, or the guest refuses it; the next is another. */
  fails(error: TroveError): void {
    const { reject } = this.#answer;
    this.#answer = Promise.withResolvers<string>();
    reject(error);
  }
}

const silence = new TroveError('GUEST_TIMEOUT', 'Timeout trying to connect to the Guest Agent.', { retryable: true });
const refusal = new TroveError('GUEST_ERROR', 'another key');

test('a guest that is there answers at once', async () => {
  const guest = new Guest();
  guest.comes();
  expect(await new Knocks<string>().knock('task', guest)).toBe('here');
  expect(guest.wakes).toBe(0);
});

test('one that is not there is asked once for a while; when it comes it wakes, and its answer is there', async () => {
  const [guest, knocks] = [new Guest(), new Knocks<string>()];
  expect([await knocks.knock('task', guest), await knocks.knock('task', guest)]).toEqual([undefined, undefined]);
  expect(guest.deadlines).toEqual([5000]);
  guest.comes();
  await expect.poll(() => guest.wakes).toBe(1);
  expect(await knocks.knock('task', guest)).toBe('here');
  expect(guest.deadlines).toHaveLength(1);
});

test('one that stays away is asked again and again, and each question waits longer, up to half a minute', async () => {
  const [guest, knocks] = [new Guest(), new Knocks<string>()];
  for (let round = 0; round < 5; round += 1) {
    expect(await knocks.knock('task', guest)).toBeUndefined();
    guest.fails(silence);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  expect([guest.deadlines, guest.wakes]).toEqual([[5000, 10_000, 20_000, 30_000, 30_000], 0]);
});

test('an error of the guest is thrown; one that comes late wakes, and is asked for again', async () => {
  const [guest, knocks] = [new Guest(), new Knocks<string>()];
  expect(await knocks.knock('task', guest)).toBeUndefined();
  guest.fails(refusal);
  await expect.poll(() => guest.wakes).toBe(1);
  const again = knocks.knock('task', guest);
  guest.fails(refusal);
  await expect(again).rejects.toBe(refusal);
});

test('what is asked for one task is not the answer to another', async () => {
  const [guest, other, knocks] = [new Guest(), new Guest(), new Knocks<string>()];
  guest.comes();
  expect([await knocks.knock('task', guest), await knocks.knock('other', other)]).toEqual(['here', undefined]);
});
