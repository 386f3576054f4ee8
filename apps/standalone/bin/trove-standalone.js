#!/usr/bin/env node
var major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'trove-standalone needs Node 24 or newer; this is ' +
      process.version +
      '. Run `npm ci`, then `npm start`: npm puts the right one in front.',
  );
  process.exitCode = 1;
} else {
  import('../src/main.ts');
}
