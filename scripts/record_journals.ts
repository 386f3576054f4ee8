// `node scripts/record_journals.ts`: lets a worker of this release die after every outside call of every kind of task and
// records what it leaves, for the releases to come to resume.
import { recordJournals } from '../apps/taskmanager/test/record_journals.ts';

await recordJournals((line) => console.log(line));
