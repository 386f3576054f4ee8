// `npm run fuzz [-- COUNT [SEED]]`: reads altered messages of all three formats; ends with 1 where one opened or anything crashed.
import { fuzz } from '../packages/crypto-rpc/test/fuzz.ts';

const ROUND = 50_000;
const [count = 1_000_000, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  console.error('usage: npm run fuzz -- [COUNT [SEED]]');
  process.exit(2);
}
const megabytes = (): string => `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`;
let [done, accepted, refused, readAnyway, crashes] = [0, 0, 0, 0, 0];
let afterFirst = '';
while (done < count) {
  const report = fuzz(Math.min(ROUND, count - done), seed + done);
  done += report.messages;
  accepted += report.accepted;
  refused += report.refused;
  readAnyway += report.readAnyway;
  crashes += report.crashes.length;
  for (const crash of report.crashes.slice(0, 5)) console.error(crash);
  afterFirst ||= megabytes();
}
console.log(
  `seed ${seed}: ${done} altered messages, ${refused} refused, ${accepted} sealed ones accepted, ${crashes} crashes`,
);
console.log(`${readAnyway} legacy ones were read all the same: those formats have no integrity`);
console.log(`memory after the first ${Math.min(ROUND, count)}: ${afterFirst}, at the end: ${megabytes()}`);
process.exitCode = accepted + crashes === 0 ? 0 : 1;
