import { runDemo } from '@trove/standalone';

process.exitCode = await runDemo(process.argv.slice(2), (text) => process.stdout.write(text));
