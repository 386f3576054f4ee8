import { createManage } from './manage.ts';

process.exitCode = await createManage({ stdout: process.stdout, stderr: process.stderr, env: process.env }).run(
  process.argv.slice(2),
);
