// `node scripts/record_journals.ts [FOLDER [SCENARIO...]]`: lets a worker of this release die after every outside call of every
// kind of task and records what it leaves, for the releases to come to resume. Default: all scenarios, into a new folder.
import { recordJournals } from '../apps/taskmanager/test/record_journals.ts';

const [folder, ...names] = process.argv.slice(2);
await recordJournals((line) => console.log(line), {
  ...(folder !== undefined && { folder }),
  ...(names.length > 0 && { names }),
});
