// The check of import directions (rules in turbo.json, tags in each workspace's turbo.json). A script of its own, since turbo
// refuses a task whose command is turbo, and since a run that saw no file must not count as passed.
import { spawnSync } from 'node:child_process';

const { status, stdout, stderr } = spawnSync('turbo', ['boundaries', '--no-color'], { encoding: 'utf8' });
process.stdout.write(stdout);
process.stderr.write(stderr);
const checked = /Checked (\d+) files? in (\d+) packages?/.exec(stdout);
const sawFiles = Number(checked?.[1] ?? 0) > 0 && Number(checked?.[2] ?? 0) > 1;
if (!sawFiles) console.error('turbo boundaries looked at no files');
process.exitCode = status === 0 && sawFiles ? 0 : 1;
