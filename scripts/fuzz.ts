// `npm run fuzz [-- COUNT [SEED]]`: reads altered messages of all three formats; ends with 1 where one opened, anything
// crashed, or memory was left behind.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fuzz } from '../packages/crypto-rpc/test/fuzz.ts';

const ROUND = 50_000;
/** What is live may grow by this much over all rounds: 1,000,000 messages that each left 9 bytes behind would show. */
const SLACK_BYTES = 8 * 2 ** 20;

const [count = 1_000_000, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  console.error('usage: npm run fuzz -- [COUNT [SEED]]');
  process.exit(2);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Twice, a turn of the loop apart: what keys hold outside the heap goes only after they have gone. */
const liveBytes = async (): Promise<number> => {
  collectGarbage();
  await nextTurn();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

let [done, accepted, refused, readAnyway, crashes] = [0, 0, 0, 0, 0];
let liveAtFirst: number | undefined;
while (done < count) {
  const report = fuzz(Math.min(ROUND, count - done), seed + done);
  done += report.messages;
  accepted += report.accepted;
  refused += report.refused;
  readAnyway += report.readAnyway;
  crashes += report.crashes.length;
  for (const crash of report.crashes.slice(0, 5)) console.error(crash);
  liveAtFirst ??= await liveBytes();
}
const grown = (await liveBytes()) - (liveAtFirst ?? 0);
console.log(
  `seed ${seed}: ${done} altered messages, ${refused} refused, ${accepted} sealed ones accepted, ${crashes} crashes`,
);
console.log(`${readAnyway} legacy ones were read all the same: those formats have no integrity`);
console.log(
  `live memory after the first ${Math.min(ROUND, count)}: ${megabytes(liveAtFirst ?? 0)}, at the end ${megabytes(grown)} more; ` +
    `the process took ${megabytes(process.resourceUsage().maxRSS * 1024)} at most`,
);
process.exitCode = accepted + crashes === 0 && grown < SLACK_BYTES ? 0 : 1;
